"""Disk set aside, so that alerts and the audit log go on for a while when the rest is full."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from agent.ports import StorageEvents

_T = TypeVar("_T")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_LITTLE = 65_536
"""A file system with less than this free is full, whatever SQLite calls it, bytes."""
_CLEAR = 1.25
"""Space must be back for so many reserves before one is taken: it must not flutter."""


class Reserve:
    """A file of real blocks that is let go when the disk is full, and taken again afterwards.

    Safe to use from several threads.

    Args:
        path: of the file; mode 0600.
        size: bytes; 0: no reserve, and a full disk is `exhausted` at once.
        events: told of every change.
    """

    def __init__(self, path: Path, size: int, events: StorageEvents) -> None:
        self._path = path
        self._size = size
        self._events = events
        self._lock = threading.Lock()
        self._trouble = False
        self._exhausted = False
        self._held = _blocks(path) >= size > 0

    @property
    def held(self) -> bool:
        """It is there to be let go of."""
        return self._held

    @property
    def spent(self) -> bool:
        """The disk was full, and has not got better."""
        return self._trouble

    @property
    def exhausted(self) -> bool:
        """The reserve is used up, and no space has come back."""
        return self._exhausted

    @property
    def scarce(self) -> bool:
        """Half of the reserve is used up: from here on nothing may grow but the audit log."""
        return self._trouble and self._free() < self._size // 2

    def take(self) -> bool:
        """Hold the reserve if there is space for it; call this now and then.

        Returns:
            whether it is held.
        """
        with self._lock:
            if not self._held and self._free() >= self._size * _CLEAR:
                self._held = self._allocate()
            better = self._trouble and (self._held or not self._size) and self._free() > _LITTLE
            if better:
                self._trouble = self._exhausted = False
            held = self._held
        if better:
            self._events.restored()
        return held

    def release(self) -> bool:
        """The disk is full: let go of the reserve. False when there was none to let go of."""
        with self._lock:
            first, self._trouble = not self._trouble, True
            held, self._held = self._held, False
            if held:
                with suppress(OSError):
                    self._path.unlink()
        if first:
            self._events.spending(f"the disk of {self._path.parent} is full; free some space")
        return held

    def use_up(self) -> None:
        """Not even the reserve sufficed."""
        with self._lock:
            first, self._trouble, self._exhausted = not self._exhausted, True, True
        if first:
            self._events.exhausted(
                f"the disk of {self._path.parent} and its reserve are full: nothing more can be "
                "recorded; free some space"
            )

    def keep_going(self, work: Callable[[], _T]) -> _T:
        """Do something that writes; when the disk is full, again with the reserve let go.

        Raises:
            Exception: what `work` raised; `is_full` says whether it was for want of space.
        """
        try:
            return work()
        except Exception as error:
            if not self.is_full(error) or not self.release():
                raise
        return work()

    def is_full(self, error: BaseException | None) -> bool:
        """Whether an error, or one that it was made from, means that the disk is full."""
        while error is not None:
            if isinstance(error, OSError) and error.errno in _FULL:
                return True
            if isinstance(error, sqlite3.OperationalError):
                text = str(error)
                return "is full" in text or ("disk I/O" in text and self._free() < _LITTLE)
            error = error.__cause__ or error.__context__
        return False

    def _free(self) -> int:
        """Bytes that this user may still write; 0 when that cannot be told."""
        try:
            status = os.statvfs(self._path.parent)
        except OSError:
            return 0
        return status.f_bavail * status.f_frsize

    def _allocate(self) -> bool:
        if not self._size:
            return False
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(handle, 0, self._size)
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError:
            with suppress(OSError):
                self._path.unlink()
            return False
        return True


def _blocks(path: Path) -> int:
    """Bytes that a file really has on the medium; -1 when there is none."""
    try:
        return path.stat().st_blocks * 512
    except OSError:
        return -1
