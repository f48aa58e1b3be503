"""The audit log on a disk that may be full."""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol

from agent.adapters.reserve import Reserve
from agent.errors import DiskError, RefusedError

_KEPT = 1000
_LATE = "the disk was full: the next records were made before, and written down only now"
_LOST = "the disk was full: so many records could not be kept"


class Ledger(Protocol):
    """The audit log, or what stands before it."""

    def append(self, kind: str, **fields: str | int) -> object: ...


class ReservedLedger:
    """An audit log that goes on in the reserve, and never ends the run for want of space.

    What cannot be written although the reserve is used up waits in memory, since the device still
    has to record that it disarmed. It is written, after a record that says so, when there is
    space again. Nothing new is armed meanwhile.

    Args:
        log: the audit log.
        reserve: of the same file system.
    """

    def __init__(self, log: Ledger, reserve: Reserve) -> None:
        self._log = log
        self._reserve = reserve
        self._lock = threading.Lock()
        self._waiting: deque[tuple[str, dict[str, str | int]]] = deque()
        self._lost = 0

    def append(self, kind: str, **fields: str | int) -> None:
        """Record something.

        Raises:
            RefusedError: an arming cannot be recorded, so it must not be.
            DiskError: for another reason than a full disk.
        """
        with self._lock:
            arming = kind == "arm"
            over = arming and self._reserve.exhausted  # a little room may not last to the disarming
            if not over and self._flush() and self._write(kind, fields):
                return
            if arming:
                raise RefusedError(
                    "the disk is full, and an arming must be recorded: free some space"
                )
            self._keep(kind, fields)

    def catch_up(self) -> None:
        """Write what waits, when there is space again; call this now and then."""
        with self._lock:
            if self._waiting and not self._reserve.exhausted:
                self._flush()

    def _flush(self) -> bool:
        """Whether nothing waits any more."""
        if not self._waiting:
            return True
        if not self._write("late", {"events": len(self._waiting), "reason": _LATE}):
            return False
        while self._waiting:
            kind, fields = self._waiting[0]
            if not self._write(kind, fields):
                return False
            self._waiting.popleft()
        if self._lost and self._write("gap", {"events": self._lost, "reason": _LOST}):
            self._lost = 0
        return True

    def _write(self, kind: str, fields: dict[str, str | int]) -> bool:
        try:
            self._reserve.keep_going(lambda: self._log.append(kind, **fields))
        except DiskError as error:
            if not self._reserve.is_full(error):
                raise
            self._reserve.use_up()
            return False
        return True

    def _keep(self, kind: str, fields: dict[str, str | int]) -> None:
        if len(self._waiting) >= _KEPT:
            self._lost += 1
        else:
            self._waiting.append((kind, fields))
