"""Older databases become today's, without loss."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from agent.adapters.outbox_schema import FORMAT, checksum, connect, is_damage
from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.errors import DataError
from tests.support.alerts import an_entry, ulid
from tests.support.outboxes import old_outbox


@pytest.mark.parametrize("version", [1, 0], ids=["format 1", "never got its number"])
def test_a_database_of_the_first_program_is_taken_over_without_loss(tmp_path, version):
    path = tmp_path / "outbox.sqlite"
    old_outbox(path, version)
    outbox = SqliteOutbox(path)

    assert outbox.salvages == []
    entries = outbox.pending(10)
    assert [entry.id for entry in entries] == [ulid(3), ulid(1), ulid(2)]
    assert entries[0].payload == bytes(range(256))
    assert [entry.attempts for entry in entries] == [0, 2, 0]
    assert [entry.at for entry in entries] == [None, None, None]
    assert json.loads(entries[2].payload)["data"]["match"] == ulid(1)
    assert outbox.parked() == {ulid(5): "broker answered 0x99"}
    assert outbox.cooldowns("A/") == {
        "s-9": (ulid(1), 1_800_000_062.75),
        "s-5": (ulid(5), 1_800_000_100.0),
    }
    assert outbox.count_up("session") == 13
    outbox.put(an_entry(6))
    assert outbox.depth() == 5
    assert outbox._file.read("PRAGMA user_version") == [(FORMAT,)]
    outbox.close()


def test_migrated_rows_have_the_checksum_of_what_they_say(tmp_path):
    path = tmp_path / "outbox.sqlite"
    old_outbox(path)
    db = connect(path)
    columns = "id, topic, payload, priority, created_at, gap, boot, at"
    rows = db.execute(f"SELECT {columns}, sum, size FROM entry").fetchall()

    assert len(rows) == 4
    for *content, total, size in rows:
        assert checksum(*content) == total
        assert size == len(content[2])
    db.close()


@pytest.mark.parametrize("place", range(8))
def test_the_checksum_covers_everything_that_never_changes(place):
    content = ["id", "match", b"payload", 1, 1.5, 0, "boot", 2.5]
    other = list(content)
    other[place] = {str: "x", bytes: b"paylobd", int: 7, float: None if place == 7 else 9.5}[
        type(content[place])
    ]
    assert checksum(*content) != checksum(*other)


def test_text_cannot_move_from_one_field_to_the_next():
    assert checksum("ab", "c", b"", 0, 0.0, 0, "", None) != checksum(
        "a", "bc", b"", 0, 0.0, 0, "", None
    )


def test_a_failed_migration_leaves_the_old_format_whole(tmp_path, monkeypatch):
    path = tmp_path / "outbox.sqlite"
    old_outbox(path)
    before = dump(path)
    monkeypatch.setattr("agent.adapters.outbox_schema.checksum", failing)
    with pytest.raises(sqlite3.OperationalError, match="user-defined function"):
        connect(path)

    assert dump(path) == before


def failing(*_: object) -> bytes:
    raise ValueError


def dump(path: Path) -> list[str]:
    db = sqlite3.connect(path)
    lines = [*db.iterdump(), str(db.execute("PRAGMA user_version").fetchone())]
    db.close()
    return lines


def test_a_newer_format_is_left_alone(tmp_path):
    path = tmp_path / "outbox.sqlite"
    connect(path).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {FORMAT + 1}")
    db.close()
    with pytest.raises(DataError, match="newer agent"):
        connect(path)


@pytest.mark.parametrize(
    ("error", "damage"),
    [
        (sqlite3.DatabaseError("database disk image is malformed"), True),
        (UnicodeDecodeError("utf-8", b"\x89", 0, 1, "invalid start byte"), True),
        (sqlite3.OperationalError("Could not decode to UTF-8 column 'id'"), True),
        (sqlite3.OperationalError("no such column: sum"), True),
        (sqlite3.OperationalError("database or disk is full"), False),
        (sqlite3.OperationalError("disk I/O error"), False),
        (sqlite3.IntegrityError("UNIQUE constraint failed"), False),
        (ValueError("something else"), False),
    ],
)
def test_what_counts_as_damage(error, damage):
    assert is_damage(error) is damage
