"""The local watchlist on disk: written whole, by one writer at a time, and never lost."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from agent.adapters.file_lock import locked
from agent.errors import BodycamError, DataError, DiskError
from agent.values import WatchlistRef
from agent.watchlist.columns import StoredList
from agent.watchlist.listfile import FORMAT, PREFIX, format_of, parse, peek, serialise

FILE = "watchlist.bcw"
_TEMPORARY = ".watchlist.bcw.new"
_LOCK = ".watchlist.lock"

Stamp: TypeAlias = tuple[int, int, int]
"""Inode, size and time of change: differs after every replacement."""


class WatchlistStore:
    """One list in a folder of its own. Readers need no lock: a file is replaced, never changed.

    Args:
        directory: made when first written, 0700; the file in it is 0600.
        lock_wait_s: how long a writer waits for another one.
    """

    def __init__(self, directory: Path, *, lock_wait_s: float = 5.0) -> None:
        self.path = directory / FILE
        self._directory = directory
        self._lock_wait_s = lock_wait_s
        self._seen: tuple[Stamp | None, WatchlistRef] | None = None

    def load(self) -> StoredList:
        """Read and check the list; the empty one when there is none yet. Changes nothing on disk.

        Raises:
            DataError: damaged, or written by a newer program.
            DiskError: it cannot be read.
        """
        stamp, data = self.stamp(), self._read()
        try:
            stored = StoredList.empty() if data is None else parse(data)
        except DataError as error:
            raise DataError(f"{self.path}: {error}; restore a copy, or enrol again") from None
        self._seen = (stamp, stored.ref)
        return stored

    def changed_since(self, ref: WatchlistRef) -> bool:
        """Whether the file now holds another list or version than `ref`.

        Costs one stat while nothing happens, and the first bytes of the file otherwise; call it
        as often as once a second. A damaged file counts as changed: `load` says what is wrong.

        Raises:
            DiskError: it cannot be read.
        """
        stamp = self.stamp()
        if self._seen is None or self._seen[0] != stamp:
            found = self._peek() if stamp else StoredList.empty().ref
            if found is None:
                return True
            self._seen = (stamp, found)
        return self._seen[1] != ref

    def update(
        self,
        change: Callable[[StoredList], StoredList],
        *,
        record: Callable[[StoredList], object],
    ) -> StoredList:
        """Load, change and save under the writers' lock. The version grows by one.

        Args:
            change: gets the present list; what it returns is written. When it raises, nothing is.
            record: told what is about to be written, for the audit log: no list may change
                without a record. When it raises, nothing is written.

        Returns:
            what was written, with its id and version.

        Raises:
            UnavailableError: another command holds the lock for too long.
            DataError: from `change` or `record`; or the file is damaged, then it has been put
                aside under another name, and the next `update` begins with an empty list.
            DiskError: it cannot be written.
        """
        with self._locked():
            before = self._load_or_put_aside()
            after = change(before)
            name = before.id if before.version else f"local-{os.urandom(8).hex()}"
            after = replace(after, id=name, version=before.version + 1)
            record(after)
            self._write(after)
        return after

    def stamp(self) -> Stamp | None:
        """Changes with every replacement of the file; None while there is none. One stat.

        Raises:
            DiskError: it cannot be told.
        """
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DiskError(f"{self.path}: {_why(error)}") from None
        return status.st_ino, status.st_size, status.st_mtime_ns

    def _load_or_put_aside(self) -> StoredList:
        """For a writer: a damaged file must not be in its way, and must not be lost."""
        data = self._read()
        try:
            return StoredList.empty() if data is None else parse(data)
        except DataError as error:
            kept = self._aside(data or b"")
            raise DataError(f"{self.path}: {error}{kept}") from None

    def _read(self) -> bytes | None:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DiskError(f"{self.path}: {_why(error)}") from None

    def _peek(self) -> WatchlistRef | None:
        try:
            with self.path.open("rb") as stream:
                return peek(stream.read(PREFIX.size))
        except FileNotFoundError:
            return StoredList.empty().ref
        except OSError as error:
            raise DiskError(f"{self.path}: {_why(error)}") from None

    def _aside(self, data: bytes) -> str:
        form = format_of(data[: PREFIX.size])
        if form is not None and form > FORMAT:
            return ""
        number = 1
        while (kept := self._directory / f"watchlist.damaged-{number}").exists():
            number += 1
        try:
            self.path.rename(kept)
        except OSError as error:
            raise DiskError(f"{self.path}: damaged, and {_why(error)}") from None
        return f"; kept as {kept.name}, the list is empty now. Restore a copy, or enrol again"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DiskError(f"{self._directory}: {_why(error)}") from None
        busy = "another command is changing the watchlist; try again"
        with locked(self._directory / _LOCK, self._lock_wait_s, busy):
            yield

    def _write(self, stored: StoredList) -> None:
        temporary = self._directory / _TEMPORARY
        try:
            _write_pieces(temporary, stored)
            temporary.replace(self.path)
            _sync_directory(self._directory)
        except OSError as error:
            _discard(temporary)
            raise DiskError(f"{self.path}: {_why(error)}; the list is as it was") from None
        except BodycamError:
            _discard(temporary)
            raise


def _write_pieces(path: Path, stored: StoredList) -> None:
    _discard(path)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        for piece in serialise(stored):
            stream.write(piece)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _discard(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
