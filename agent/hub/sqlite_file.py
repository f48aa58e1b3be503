"""What the databases of the hub have in common.

WAL with synchronous FULL: what a command has said is on disk. secure_delete, and the log emptied
after deletions, so that what is deleted is overwritten.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from agent.errors import DataError, DiskError, RefusedError
from agent.hub.files import reported

_BUSY_S: Final = 10.0


class SqliteFile:
    """One connection to a file that is made when missing, mode 0600.

    Args:
        path: of the file.
        migrations: entry n takes it from user_version n to n + 1; append only.

    Raises:
        DiskError: it cannot be opened.
        DataError: damaged, or made by a newer hub.
        RefusedError: others may read it.
    """

    def __init__(self, path: Path, migrations: Sequence[str]) -> None:
        self._path = path
        with reported(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            shared = os.fstat(handle).st_mode & 0o077
            os.close(handle)
        if shared:
            raise RefusedError(f"{path}: others may read it; run `chmod 600 {path}`")
        with self._storage():
            self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
            self._prepare(migrations)

    def close(self) -> None:
        self._db.close()

    def read(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._storage():
            return self._db.execute(sql, values).fetchall()

    def each(self, sql: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Row by row, for what is too large to be held at once."""
        with self._storage():
            yield from self._db.execute(sql, values)

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

    def _prepare(self, migrations: Sequence[str]) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        if self._version() > len(migrations):
            raise DataError(f"{self._path}: made by a newer bodycam-hub; install that one")
        if self._version() == len(migrations):
            return
        self._db.execute("BEGIN IMMEDIATE")  # two commands may be the first
        for number in range(self._version(), len(migrations)):
            for statement in migrations[number].split(";"):
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


class SettingsFile(SqliteFile):
    """One with a table `setting`."""

    def setting(self, key: str) -> str | None:
        rows = self.read("SELECT value FROM setting WHERE key = ?", key)
        return str(rows[0][0]) if rows else None

    def set_setting(self, key: str, value: str) -> None:
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (key, value))
