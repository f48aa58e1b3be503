"""The outbox's database: one connection, one lock, and what to do when it is damaged or full."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from agent.adapters.outbox_bounds import give_way
from agent.adapters.outbox_rescue import Rescue, Salvage
from agent.adapters.outbox_schema import connect, is_damage
from agent.adapters.reserve import Reserve
from agent.errors import DiskError
from agent.values import Loss

_T = TypeVar("_T")
Work = Callable[[sqlite3.Connection], _T]
_AT_ONCE = 32
"""So many events give way when not even the reserve leaves room for one."""


class OutboxFile:
    """Runs work on the database, each piece in a transaction of its own.

    One connection behind one lock, for all threads: SQLite has a single writer anyway, every
    transaction here is a few pages, and no connection is left behind by a thread that ended.

    Args:
        path: of the database.
        reserve: let go when the disk is full; None: a full disk is an error like any other.
        rescue: makes a new file of a damaged one.
        on_salvage: told of each damaged file. It and the reserve's events are called while the
            lock is held: they must not come back here.

    Raises:
        DiskError: the file cannot be opened, read or written.
        DataError: a newer agent made it.
    """

    def __init__(
        self,
        path: Path,
        reserve: Reserve | None,
        rescue: Rescue,
        on_salvage: Callable[[Salvage], None],
    ) -> None:
        self._path = path
        self._reserve = reserve
        self._rescue = rescue
        self._on_salvage = on_salvage
        self._lock = threading.Lock()
        self._damaged = False
        with self._told():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.connection = reserve.keep_going(self._open) if reserve else self._open()

    @property
    def scarce(self) -> bool:
        """The disk is full, and so much of the reserve used that the outbox must not grow."""
        return self._reserve is not None and self._reserve.scarce

    def close(self) -> None:
        with self._lock:
            self.connection.close()

    def read(self, query: str, values: tuple[object, ...] = ()) -> list[Any]:
        return self.run(lambda db: db.execute(query, values).fetchall())

    def write(self, work: Work[_T], *, may_displace: bool = False) -> _T:
        """Do some work, all of it or nothing, on disk when this returns. It may be tried twice.

        Args:
            work: executes statements; begins and ends no transaction.
            may_displace: important enough for waiting events to give way on a full disk.
        """

        def displacing(db: sqlite3.Connection) -> _T:
            give_way(db, Loss.DISK_FULL, events=_AT_ONCE)
            return work(db)

        last = displacing if may_displace else work
        return self.run(lambda db: _commit(db, work), lambda db: _commit(db, last))

    def run(self, action: Work[_T], last_resort: Work[_T] | None = None) -> _T:
        """Do something with the connection, again in a new file or in the reserve if need be.

        Raises:
            DiskError: it could not be done; with a full disk after `Reserve.use_up`.
        """
        with self._lock, self._told():
            try:
                return self._sound(action)
            except (sqlite3.Error, OSError) as error:
                if self._reserve is None or not self._reserve.is_full(error):
                    raise
            return self._when_full(self._reserve, action, last_resort or action)

    def _when_full(self, reserve: Reserve, action: Work[_T], last_resort: Work[_T]) -> _T:
        """Once more in the space of the reserve, then in what space the file itself has."""
        if reserve.release():
            try:
                return self._sound(action)
            except (sqlite3.Error, OSError) as error:
                if not reserve.is_full(error):
                    raise
        with suppress(sqlite3.Error):  # the write-ahead log begins anew in the blocks it has
            self.connection.execute("PRAGMA wal_checkpoint(RESTART)")
        try:
            return self._sound(last_resort)
        except (sqlite3.Error, OSError) as error:
            if reserve.is_full(error):
                reserve.use_up()
            raise

    def _sound(self, action: Work[_T]) -> _T:
        """Do it; when the file turns out to be damaged, in a new one.

        When there is no room for a new one, the next call tries again to make it.
        """
        if not self._damaged:
            try:
                return action(self.connection)
            except (sqlite3.Error, UnicodeDecodeError) as error:
                if not is_damage(error):
                    raise
            self._damaged = True
            with suppress(sqlite3.Error):
                self.connection.close()
        self.connection = self._begin_anew()
        self._damaged = False
        return action(self.connection)

    def _open(self) -> sqlite3.Connection:
        self._rescue.finish(self._path)
        try:
            return connect(self._path)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if not is_damage(error):
                raise
        return self._begin_anew()

    def _begin_anew(self) -> sqlite3.Connection:
        salvage = self._rescue.run(self._path)
        db = connect(self._path)
        self._on_salvage(salvage)
        return db

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn failures of file system and SQLite into one line for the operator."""
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise DiskError(f"outbox {self._path}: {what}; {_mend(what)}") from error


def _commit(db: sqlite3.Connection, work: Work[_T]) -> _T:
    db.execute("BEGIN IMMEDIATE")
    try:
        outcome = work(db)
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a failed COMMIT may have rolled back already
            db.execute("ROLLBACK")
        raise
    return outcome


def _mend(what: str) -> str:
    text = what.lower()
    if "locked" in text:
        return "is another agent running with this state directory?"
    if "malformed" in text or "not a database" in text:
        return "restart the agent: it sets a damaged outbox aside and begins a new one"
    return "check free space and permissions of the state directory"
