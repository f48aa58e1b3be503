"""The hub's own memory on SQLite: settings, devices, and which device could read which list.

WAL with synchronous FULL: what a command has said is on disk. secure_delete, so that a removed
device's sealed store key is overwritten.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from agent.errors import DataError, DiskError, RefusedError

_BUSY_TIMEOUT_S: Final = 10.0
_MIGRATIONS: Final = (
    """
    CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE token (
        device TEXT PRIMARY KEY,
        sealed BLOB NOT NULL,
        unlock TEXT NOT NULL,
        not_after REAL NOT NULL,
        used_at REAL
    );
    CREATE TABLE device (
        key_id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        seal_key BLOB NOT NULL,
        sign_key BLOB NOT NULL,
        unlock TEXT NOT NULL,
        store_key BLOB,
        added_at REAL NOT NULL,
        removed_at REAL,
        released_at REAL,
        releases INTEGER NOT NULL DEFAULT 0
    );
    CREATE UNIQUE INDEX device_name ON device (name) WHERE removed_at IS NULL;
    CREATE TABLE assigned (
        key_id TEXT NOT NULL REFERENCES device,
        list TEXT NOT NULL,
        PRIMARY KEY (key_id, list)
    ) WITHOUT ROWID;
    CREATE TABLE reader (
        list TEXT NOT NULL,
        key_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        PRIMARY KEY (list, key_id)
    ) WITHOUT ROWID;
    CREATE TABLE rekey (list TEXT PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID;
    """,
    """
    ALTER TABLE token ADD COLUMN alert_key BLOB NOT NULL DEFAULT x'';
    ALTER TABLE token ADD COLUMN ack_key BLOB NOT NULL DEFAULT x'';
    ALTER TABLE device ADD COLUMN alert_key BLOB NOT NULL DEFAULT x'';
    ALTER TABLE device ADD COLUMN ack_key BLOB NOT NULL DEFAULT x'';
    """,
    "ALTER TABLE device ADD COLUMN commands INTEGER NOT NULL DEFAULT 0;",
)
"""Entry n takes the file from user_version n to n + 1. Append only."""


class HubDatabase:
    """One connection to `hub.sqlite`, made when missing, mode 0600.

    Raises:
        DiskError: it cannot be opened.
        DataError: damaged, or made by a newer hub.
        RefusedError: others may read it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._storage():
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            shared = os.fstat(handle).st_mode & 0o077
            os.close(handle)
        if shared:
            raise RefusedError(f"{path}: others may read it; run `chmod 600 {path}`")
        with self._storage():
            self._db = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
            self._prepare()

    def close(self) -> None:
        self._db.close()

    def setting(self, key: str) -> str | None:
        rows = self.read("SELECT value FROM setting WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    def set_setting(self, key: str, value: str) -> None:
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (key, value))

    def read(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._storage():
            return self._db.execute(sql, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the body, on disk, or nothing of it."""
        with self._storage():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def empty_log(self) -> None:
        """After a deletion: no older copy of a page stays in the write-ahead log."""
        with self._storage():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA secure_delete = ON")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(_MIGRATIONS):
            raise DataError(f"{self._path}: made by a newer bodycam-hub; install that one")
        for number in range(version, len(_MIGRATIONS)):
            self._db.executescript(
                f"BEGIN IMMEDIATE; {_MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT"
            )

    @contextmanager
    def _storage(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise DiskError(f"{self._path}: {why}") from None
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise DiskError(f"{self._path}: {error}") from None
            raise DataError(f"{self._path}: {error}; restore a copy") from None
