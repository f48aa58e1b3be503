"""`lists.sqlite` of the hub: lists, their versions, and what was made of each photograph.

WAL with synchronous FULL; secure_delete, and the log emptied after deletions, so that what is
deleted is overwritten. Templates, pictures, paths and keys are encrypted (see `vault`).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from agent.errors import DataError, DiskError, RefusedError
from agent.hub.files import reported

FILE: Final = "lists.sqlite"
_BUSY_S: Final = 10.0
_VERSION: Final = 1
_SCHEMA: Final = """
    CREATE TABLE list (
        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE version (
        list TEXT NOT NULL REFERENCES list, version INTEGER NOT NULL, manifest TEXT NOT NULL,
        published INTEGER NOT NULL, facts TEXT NOT NULL, state BLOB,
        PRIMARY KEY (list, version)
    );
    CREATE TABLE enrolled (
        list TEXT NOT NULL REFERENCES list, entry TEXT NOT NULL, sha256 TEXT NOT NULL,
        recipe TEXT NOT NULL, path BLOB NOT NULL,
        since INTEGER NOT NULL, until INTEGER,
        PRIMARY KEY (list, entry, sha256, since)
    );
    CREATE INDEX enrolled_photograph ON enrolled (sha256);
    CREATE TABLE photograph (
        sha256 TEXT NOT NULL, recipe TEXT NOT NULL, judged REAL NOT NULL,
        why TEXT NOT NULL, quality REAL NOT NULL, template BLOB, crop BLOB,
        PRIMARY KEY (sha256, recipe)
    );
"""


class ListsDatabase:
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
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def empty_log(self) -> None:
        """After a deletion: no older copy of a page stays in the write-ahead log."""
        with self._storage():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _prepare(self) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise DataError(f"{self._path}: made by a newer bodycam-hub; install that one")
        if version < _VERSION:
            self._db.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT"
            )

    @contextmanager
    def _storage(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise DiskError(f"{self._path}: {error}") from None
        except sqlite3.DatabaseError as error:
            raise DataError(f"{self._path}: {error}; restore a copy") from None


def list_ids(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Ids of lists that are named; what is no name of a list stays as it is.

    Args:
        path: of the database, which need not exist.
        names: names or ids.
    """
    if not path.exists():
        return tuple(names)
    with closing(ListsDatabase(path)) as database:
        known = dict(database.read("SELECT name, id FROM list"))
    return tuple(known.get(one, one) for one in names)
