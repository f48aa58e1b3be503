"""Outboxes of every kind: new, old, broken."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from agent.adapters.outbox_sqlite import SqliteOutbox

V1_DUMP = Path(__file__).resolve().parents[1] / "data" / "outbox_v1.sql"
"""Made by the program of format 1: twelve starts, two alerts of one subject (the first tried
twice), one of priority 9, one parked, one delivered, two cool-down marks."""
PAGE = 4096


def old_outbox(path: Path, version: int = 1) -> None:
    """The outbox that `V1_DUMP` is of."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path)
    db.executescript(V1_DUMP.read_text())
    db.execute(f"PRAGMA user_version = {version}")
    db.execute("PRAGMA journal_mode = WAL")
    db.close()


def pages(path: Path) -> dict[str, list[int]]:
    """The numbers of the pages of each table and index, its root first."""
    db = sqlite3.connect(path)
    rows = db.execute("SELECT name, pageno, path FROM dbstat ORDER BY name, path").fetchall()
    db.close()
    found: dict[str, list[int]] = {}
    for name, number, _ in rows:
        found.setdefault(name, []).append(number)
    return found


def leaves(path: Path, name: str) -> list[int]:
    """Of these, the leaves."""
    db = sqlite3.connect(path)
    query = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path"
    rows = db.execute(query, (name,)).fetchall()
    db.close()
    return [number for (number,) in rows]


def spoil(path: Path, *numbers: int) -> None:
    """Overwrite pages with something that is no page."""
    content = bytearray(path.read_bytes())
    for number in numbers:
        content[(number - 1) * PAGE : number * PAGE] = b"\xa5" * PAGE
    path.write_bytes(content)


def opened(path: Path, **options: object) -> Iterator[SqliteOutbox]:
    """For fixtures: closed afterwards."""
    outbox = SqliteOutbox(path, **options)
    yield outbox
    outbox.close()
