"""The outbox on SQLite: an event is on disk before anybody says so.

One connection behind one lock, for all threads: SQLite has a single writer anyway, every
transaction here is a few pages, and no connection is left behind by a thread that ended.
WAL with synchronous FULL syncs the log at every commit: a commit survives a loss of power
(sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agent.errors import DataError, DiskError
from agent.values import OutboxEntry, Wall

_BUSY_TIMEOUT_S = 5.0
_KEEP_COOLDOWNS_S = 30 * 86_400.0
_MIGRATIONS = (
    """
    CREATE TABLE entry (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        topic TEXT NOT NULL,
        payload BLOB NOT NULL,
        priority INTEGER NOT NULL,
        created_at REAL NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        parked TEXT
    );
    CREATE INDEX entry_order ON entry (priority DESC, seq) WHERE parked IS NULL;
    CREATE TABLE cooldown (key TEXT PRIMARY KEY, id TEXT NOT NULL, until REAL NOT NULL);
    CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
    """,
)
"""Entry n takes the file from user_version n to n + 1. Append only."""


class SqliteOutbox:
    """Durable events in one SQLite file; implements `agent.ports.Outbox`.

    Safe to use from several threads. Age is the order of `put`, so that a jump of the wall clock
    does not reorder events. The file has permissions 0600, and its folder 0700 when made here.

    Args:
        path: of the database. A damaged one is set aside as `<path>.corrupt-<n>`, never deleted,
            and a new one begun; see `set_aside`.

    Raises:
        DiskError: the file cannot be opened, read or written.
        DataError: a newer agent made it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._set_aside: Path | None = None
        with _storage(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._db = self._open_or_begin_anew()

    @property
    def set_aside(self) -> Path | None:
        """Where a damaged database was moved at opening; None when there was none. To be logged:
        alerts in it were not sent.
        """
        return self._set_aside

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def put(self, entry: OutboxEntry, *, cooldown: tuple[str, Wall] | None = None) -> None:
        with self._transaction() as db:
            added = db.execute(
                "INSERT OR IGNORE INTO entry (id, topic, payload, priority, created_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (entry.id, entry.topic, entry.payload, entry.priority, entry.created_at),
            )
            if cooldown is not None and added.rowcount:
                key, until = cooldown
                db.execute(
                    "INSERT OR REPLACE INTO cooldown VALUES (?, ?, ?)", (key, entry.id, until)
                )
                db.execute("DELETE FROM cooldown WHERE until < ?", (until - _KEEP_COOLDOWNS_S,))

    def cooldown(self, key: str) -> tuple[str, Wall] | None:
        rows = self._read("SELECT id, until FROM cooldown WHERE key = ?", (key,))
        return (rows[0][0], Wall(rows[0][1])) if rows else None

    def cooldowns(self, prefix: str) -> dict[str, tuple[str, Wall]]:
        """Every mark whose key begins with `prefix`, by the rest of the key."""
        rows = self._read(
            "SELECT substr(key, ?), id, until FROM cooldown WHERE substr(key, 1, ?) = ?",
            (len(prefix) + 1, len(prefix), prefix),
        )
        return {key: (event, Wall(until)) for key, event, until in rows}

    def pending(self, limit: int) -> list[OutboxEntry]:
        rows = self._read(
            "SELECT id, topic, payload, priority, created_at, attempts FROM entry"
            " WHERE parked IS NULL ORDER BY priority DESC, seq LIMIT ?",
            (limit,),
        )
        return [OutboxEntry(*row) for row in rows]

    def depth(self) -> int:
        count: int = self._read("SELECT count(*) FROM entry", ())[0][0]
        return count

    def parked(self) -> dict[str, str]:
        """Ids of refused entries, each with the reason given."""
        return dict(self._read("SELECT id, parked FROM entry WHERE parked IS NOT NULL", ()))

    def attempted(self, entry_id: str) -> None:
        with self._transaction() as db:
            db.execute("UPDATE entry SET attempts = attempts + 1 WHERE id = ?", (entry_id,))

    def confirmed(self, entry_id: str) -> None:
        with self._transaction() as db:
            db.execute("DELETE FROM entry WHERE id = ?", (entry_id,))

    def park(self, entry_id: str, reason: str) -> None:
        with self._transaction() as db:
            db.execute("UPDATE entry SET parked = ? WHERE id = ?", (reason, entry_id))

    def count_up(self, key: str) -> int:
        """Add one to a named counter, from 0, and return it; the session number is one."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO meta VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET value = value + 1",
                (key,),
            )
            value: int = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0]
        return value

    def _open_or_begin_anew(self) -> sqlite3.Connection:
        with _storage(self._path):
            try:
                return _open(self._path)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self._set_aside = _move_aside(self._path)
                return _open(self._path)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _storage(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a failed COMMIT may have rolled back already
                    self._db.execute("ROLLBACK")
                raise

    def _read(self, query: str, values: tuple[object, ...]) -> list[Any]:
        with self._lock, _storage(self._path):
            return list(self._db.execute(query, values))


def _open(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(
        path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        _check(db)
        _migrate(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _check(db: sqlite3.Connection) -> None:
    problem: str = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise sqlite3.DatabaseError(problem)


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(_MIGRATIONS):
        raise DataError(f"{path}: made by a newer agent (format {version}); install that version")
    for number, script in enumerate(_MIGRATIONS[version:], start=version + 1):
        db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")


def _move_aside(path: Path) -> Path:
    number = 1
    while (target := path.with_name(f"{path.name}.corrupt-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(target.with_name(target.name + suffix))
    path.rename(target)
    return target


@contextmanager
def _storage(path: Path) -> Iterator[None]:
    """Turn failures of file system and SQLite into one line for the operator."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DiskError(f"outbox {path}: {what}; {_mend(what)}") from error


def _mend(what: str) -> str:
    text = what.lower()
    if "locked" in text:
        return "is another agent running with this state directory?"
    if "malformed" in text or "not a database" in text:
        return "restart the agent: it sets a damaged outbox aside and begins a new one"
    return "check free space and permissions of the state directory"
