"""The catalogue of the sealed store: which shards make up the list, and the keys they lie under.

One SQLite file. Every row is encrypted and authenticated under the store key; what can be read
without it are the names under which the file server offers the shards, and how many there are.
`secure_delete` overwrites what is deleted, and the log is truncated after every deletion, so that
a key that was destroyed is in no file any more (sqlite.org/pragma.html#pragma_secure_delete).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from agent.adapters.device_keys import DeviceKeys
from agent.adapters.sealed_rows import Cached, Ended, Held, Listed, Marks
from agent.errors import DataError, DiskError

FILE: Final = "lists.sqlite"
_BUSY_TIMEOUT_S: Final = 5.0
_SCHEMA: Final = 1
_TABLES: Final = """
    BEGIN IMMEDIATE;
    CREATE TABLE shard (source TEXT PRIMARY KEY, sealed BLOB NOT NULL);
    CREATE TABLE fact (name TEXT PRIMARY KEY, sealed BLOB NOT NULL);
    CREATE TABLE counts (list INTEGER NOT NULL, change INTEGER NOT NULL);
    INSERT INTO counts VALUES (0, 0);
    PRAGMA user_version = 1;
    COMMIT;
"""
_Model = TypeVar("_Model", bound=BaseModel)


class Catalogue:
    """Rows under the store key. Safe to use from several threads and processes.

    Args:
        directory: of the store, there already.
        keys: open.

    Raises:
        DiskError: it cannot be opened, read or written.
        DataError: a newer agent made it, or it belongs to other keys.

    Attributes:
        begun_anew: a damaged file was deleted: what it listed must be fetched again.
    """

    def __init__(self, directory: Path, keys: DeviceKeys) -> None:
        self._path = directory / FILE
        self._keys = keys
        self._lock = threading.RLock()
        self._unscrubbed = False
        self.begun_anew = False
        with _storage(self._path):
            self._db = self._open_or_begin_anew()

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def counts(self) -> tuple[int, int]:
        """Of lists, and of changes of any kind: each differs after every one. Microseconds."""
        with self._lock, _storage(self._path):
            row = self._db.execute("SELECT list, change FROM counts").fetchone()
        return int(row[0]), int(row[1])

    def marks(self) -> Marks:
        return self._fact(Marks, "marks") or Marks()

    def listed(self) -> Listed | None:
        return self._fact(Listed, "list")

    def ended(self) -> Ended | None:
        return self._fact(Ended, "ended")

    def contents(self) -> tuple[Listed, dict[str, Held]] | None:
        """The list and its shards by source, at one moment; None without a list."""
        with self._lock, _storage(self._path), _snapshot(self._db):
            listed = self.listed()
            return None if listed is None else (listed, self.held())

    def held(self) -> dict[str, Held]:
        """Every shard, by its source."""
        with self._lock, _storage(self._path):
            rows = self._db.execute("SELECT source, sealed FROM shard").fetchall()
        return {source: self._opened(Held, f"shard/{source}", blob) for source, blob in rows}

    def cached(self, name: str) -> Cached | None:
        return self._fact(Cached, f"cache/{name}")

    def files(self) -> frozenset[str]:
        """Names of all files that mean something."""
        with self._lock, _storage(self._path):
            rows = self._db.execute("SELECT name FROM fact WHERE name LIKE 'cache/%'").fetchall()
        blobs = [self._fact(Cached, name) for (name,) in rows]
        shards = [one.file for one in self.held().values()]
        return frozenset([*shards, *(blob.file for blob in blobs if blob is not None)])

    def raise_high_water(self, wall: float) -> None:
        with self._transaction() as db:
            self._put(db, "marks", self.marks().at_least(wall))
        if self._unscrubbed:
            self.scrub()

    def save_cached(self, name: str, cached: Cached, change: int) -> bool:
        """One blob at a time: the key of every other is destroyed.

        Args:
            name: of the blob.
            cached: what it is.
            change: second of the `counts` that the blob was made from.

        Returns:
            False when something has changed since: then nothing is saved.
        """
        with self._transaction() as db:
            if self.counts()[1] != change:
                return False
            db.execute("DELETE FROM fact WHERE name LIKE 'cache/%'")
            self._put(db, f"cache/{name}", cached)
        self.scrub()
        return True

    def switch(self, listed: Listed, held: Iterable[Held], wall: float) -> None:
        """Another list, or another version, in one transaction; destroys every key of the old."""
        manifest = listed.manifest
        with self._transaction() as db:
            marks = self.marks().with_version(manifest.list, manifest.version).at_least(wall)
            self._clear(db)
            self._put(db, "list", listed)
            self._put(db, "marks", marks)
            self._put_shards(db, held)
            db.execute("UPDATE counts SET list = list + 1, change = change + 1")
        self.scrub()

    def replace(self, held: Iterable[Held]) -> None:
        """The same shards with fewer entries; destroys the keys that they lay under."""
        with self._transaction() as db:
            db.execute("DELETE FROM fact WHERE name LIKE 'cache/%'")
            self._put_shards(db, held)
            db.execute("UPDATE counts SET change = change + 1")
        self.scrub()

    def destroy(self, ended: Ended) -> None:
        """No list any more: every key of it is destroyed, a note is left."""
        with self._transaction() as db:
            self._clear(db)
            self._put(db, "ended", ended)
            db.execute("UPDATE counts SET list = list + 1, change = change + 1")
        self.scrub()

    def scrub(self) -> None:
        """Move the log into the file, where deleted rows are overwritten, and empty it.

        A reader in another process may be in the way for a moment: it is tried again later.
        """
        with self._lock, _storage(self._path):
            busy: int = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        self._unscrubbed = bool(busy)

    def _clear(self, db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM shard")
        db.execute("DELETE FROM fact WHERE name IN ('list', 'ended') OR name LIKE 'cache/%'")

    def _put(self, db: sqlite3.Connection, name: str, value: BaseModel) -> None:
        sealed = self._keys.encrypt(value.model_dump_json().encode(), _about(name))
        db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, sealed))

    def _put_shards(self, db: sqlite3.Connection, held: Iterable[Held]) -> None:
        for one in held:
            sealed = self._keys.encrypt(
                one.model_dump_json().encode(), _about(f"shard/{one.source}")
            )
            db.execute("INSERT OR REPLACE INTO shard VALUES (?, ?)", (one.source, sealed))

    def _fact(self, kind: type[_Model], name: str) -> _Model | None:
        blob = self._blob(name)
        return None if blob is None else self._opened(kind, name, blob)

    def _blob(self, name: str) -> bytes | None:
        with self._lock, _storage(self._path):
            row = self._db.execute("SELECT sealed FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def _opened(self, kind: type[_Model], name: str, blob: bytes) -> _Model:
        try:
            return kind.model_validate_json(self._keys.decrypt(blob, _about(name)))
        except (DataError, ValidationError, TypeError):
            raise DataError(
                f"{self._path}: damaged, changed, or of another device; wipe and provision again"
            ) from None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _storage(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise

    def _open_or_begin_anew(self) -> sqlite3.Connection:
        try:
            return _open(self._path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)
            self.begun_anew = True
            return _open(self._path)


def _about(name: str) -> bytes:
    return f"bodycam.store.v1/{name}".encode()


def _open(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(
        path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
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
    if version > _SCHEMA:
        raise DataError(f"{path}: made by a newer agent (format {version}); install that version")
    if version == 0:
        db.executescript(_TABLES)


@contextmanager
def _snapshot(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("COMMIT")


@contextmanager
def _storage(path: Path) -> Iterator[None]:
    """Turn failures of file system and SQLite into one line for the operator."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DiskError(
            f"{path}: {what.lower()}; check free space and permissions of the state directory"
        ) from None
