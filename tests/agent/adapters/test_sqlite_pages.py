"""SQLite's own files, read without SQLite, against what SQLite says."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from agent.adapters.sqlite_pages import leaf_rows

TEXT = "é" * 40


def a_database(path: Path, page_size: int, *, wal: bool = False) -> list[tuple]:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA page_size = {page_size}")
    db.execute(f"PRAGMA journal_mode = {'WAL' if wal else 'DELETE'}")
    db.execute("CREATE TABLE t (a, b, c, d)")
    chance = random.Random(3)
    db.execute("BEGIN")
    for number in range(200):
        blob = chance.randbytes(chance.choice([0, 1, 100, page_size - 40, 3 * page_size]))
        whole = chance.choice([None, 0, 1, -1, 200, -70_000, 1 << 20, 1 << 40, -(1 << 60)])
        db.execute("INSERT INTO t VALUES (?, ?, ?, ?)", (blob, whole, number / 3, TEXT[:number]))
    db.execute("COMMIT")
    rows = db.execute("SELECT rowid, * FROM t ORDER BY rowid").fetchall()
    db.close()
    return rows


def read(path: Path) -> list[tuple]:
    rows = [(rowid, *values) for rowid, values in leaf_rows(path) if len(values) == 4]
    return sorted(rows, key=lambda row: row[0])


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_every_row_of_every_page_size(tmp_path, page_size):
    path = tmp_path / "db"
    rows = a_database(path, page_size)
    assert read(path) == rows


def test_the_newest_committed_version_in_the_log_counts(tmp_path):
    path = tmp_path / "db"
    a_database(path, 4096, wal=True)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.execute("UPDATE t SET d = 'new' WHERE rowid % 3 = 0")
    db.execute("DELETE FROM t WHERE rowid > 150")
    db.execute("UPDATE t SET d = 'newer' WHERE rowid % 6 = 0")
    expected = db.execute("SELECT rowid, * FROM t ORDER BY rowid").fetchall()
    db.execute("PRAGMA cache_size = 5")
    db.execute("BEGIN")
    db.execute("UPDATE t SET d = 'never committed', a = zeroblob(9000)")

    in_use = {row[0]: row for row in read(path)}
    assert {key: in_use[key] for key in [row[0] for row in expected]} == {
        row[0]: row for row in expected
    }
    assert "never committed" not in {row[4] for row in in_use.values()}
    db.execute("ROLLBACK")
    db.close()


def test_broken_pages_cost_rows_and_raise_nothing(tmp_path):
    path = tmp_path / "db"
    rows = set(a_database(path, 1024))
    whole = path.read_bytes()
    chance = random.Random(7)
    most = 0
    for _ in range(30):
        content = bytearray(whole)
        for _ in range(chance.randrange(1, 40)):
            at = chance.randrange(len(content))
            content[at : at + 8] = chance.randbytes(8)
        path.write_bytes(content)
        most = max(most, len(rows & {(r, *v) for r, v in leaf_rows(path)}))
    assert most > 150


@pytest.mark.parametrize("content", [b"", b"short", b"\x0d" * 10_000, b"\x00" * 10_000])
def test_what_is_no_database_has_no_rows(tmp_path, content):
    path = tmp_path / "db"
    path.write_bytes(content)
    assert [values for _, values in leaf_rows(path) if len(values) == 4] == []


def test_a_chain_of_pages_that_never_ends_is_given_up(tmp_path):
    path = tmp_path / "db"
    a_database(path, 512)
    content = bytearray(path.read_bytes())
    for number in range(len(content) // 512):
        if content[number * 512] != 0x0D:
            content[number * 512 : number * 512 + 4] = (number + 1).to_bytes(4, "big")
    path.write_bytes(content)
    assert all(len(str(row)) < 100_000 for row in read(path))
