"""`events.sqlite` of the hub: what cameras reported, and what was done about it.

WAL with synchronous FULL: what was acknowledged is on disk. secure_delete, and the log emptied
after deletions, so that what is purged is overwritten. In clear are ids, times and names of
cameras; what an event says lies there sealed as it arrived, and once more locked with the key of
the vault. Subjects and authorisations are keyed hashes, by which events are found and compared
without being opened.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from agent.errors import DataError, DiskError, RefusedError
from agent.hub.files import reported

FILE: Final = "events.sqlite"
_BUSY_S: Final = 10.0
_MIGRATIONS: Final = (
    """
    CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE ack (
        number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, public BLOB NOT NULL,
        message BLOB NOT NULL
    );
    CREATE TABLE event (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL, device TEXT NOT NULL, device_key TEXT NOT NULL, sign_key BLOB NOT NULL,
        type TEXT NOT NULL, time REAL NOT NULL, historical INTEGER NOT NULL,
        received REAL NOT NULL, digest BLOB NOT NULL,
        payload BLOB, opened BLOB, subject BLOB, authorisation BLOB, first TEXT,
        ack INTEGER REFERENCES ack, hold TEXT, purged REAL,
        UNIQUE (device_key, id)
    );
    CREATE INDEX event_id ON event (id);
    CREATE INDEX event_first ON event (first) WHERE first IS NOT NULL;
    CREATE INDEX event_subject ON event (subject, time) WHERE subject IS NOT NULL;
    CREATE INDEX event_authorisation ON event (authorisation) WHERE authorisation IS NOT NULL;
    CREATE INDEX event_ack ON event (ack);
    CREATE TABLE refusal (
        minute INTEGER NOT NULL, why TEXT NOT NULL, device TEXT NOT NULL, count INTEGER NOT NULL,
        detail TEXT NOT NULL, PRIMARY KEY (minute, why, device)
    ) WITHOUT ROWID;
    CREATE TABLE reviewer (
        key_id TEXT PRIMARY KEY, name TEXT NOT NULL, public BLOB NOT NULL, added REAL NOT NULL,
        removed REAL
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX reviewer_name ON reviewer (name) WHERE removed IS NULL;
    CREATE TABLE review (
        number INTEGER PRIMARY KEY AUTOINCREMENT, event INTEGER NOT NULL REFERENCES event,
        record BLOB NOT NULL
    );
    CREATE INDEX review_event ON review (event);
    CREATE TABLE log (
        number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, what TEXT NOT NULL,
        detail TEXT NOT NULL
    );
    """,
    """
    CREATE TABLE anchor (
        device_key TEXT NOT NULL, id TEXT NOT NULL, device TEXT NOT NULL, first INTEGER NOT NULL,
        last INTEGER NOT NULL, hash TEXT NOT NULL, received REAL NOT NULL, message BLOB NOT NULL,
        PRIMARY KEY (device_key, id)
    ) WITHOUT ROWID;
    CREATE INDEX anchor_last ON anchor (device_key, last);
    CREATE TABLE chain (seq INTEGER PRIMARY KEY, line BLOB NOT NULL);
    """,
)
"""Entry n takes the file from user_version n to n + 1. Append only. `log` is what was
written before there was a chain; nothing is added to it."""


class EventsDatabase:
    """One connection to the file, made when missing, mode 0600.

    Raises:
        DiskError: it cannot be opened.
        DataError: damaged, or made by a newer hub.
        RefusedError: others may read it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with reported(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            shared = os.fstat(handle).st_mode & 0o077
            os.close(handle)
        if shared:
            raise RefusedError(f"{path}: others may read it; run `chmod 600 {path}`")
        with self._storage():
            self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
            self._prepare()

    def close(self) -> None:
        self._db.close()

    def read(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._storage():
            return self._db.execute(sql, values).fetchall()

    def setting(self, key: str) -> str | None:
        rows = self.read("SELECT value FROM setting WHERE key = ?", key)
        return str(rows[0][0]) if rows else None

    def set_setting(self, key: str, value: str) -> None:
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (key, value))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the body, on disk, or nothing of it."""
        with self._storage():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def empty_log(self) -> None:
        """After a deletion: no older copy of a page stays in the write-ahead log."""
        with self._storage():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _prepare(self) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        if self._version() > len(_MIGRATIONS):
            raise DataError(f"{self._path}: made by a newer bodycam-hub; install that one")
        if self._version() == len(_MIGRATIONS):
            return
        self._db.execute("BEGIN IMMEDIATE")  # two commands may be the first
        for number in range(self._version(), len(_MIGRATIONS)):
            for statement in _MIGRATIONS[number].split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {number + 1}")
        self._db.execute("COMMIT")

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _storage(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise DiskError(f"{self._path}: {error}") from None
        except sqlite3.DatabaseError as error:
            raise DataError(f"{self._path}: {error}; restore a copy") from None
