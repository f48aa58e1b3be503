"""Checkpoints of the audit log: made in time, published, and old files given up behind them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from agent.audit.chain import Link
from agent.audit.checkpoint import Checkpoint, CheckpointKey
from agent.errors import BodycamError, RefusedError
from agent.ports import Clock
from agent.ports.log import Log
from agent.values import Monotonic

_ANY: Final = 1 << 62


class CheckpointLog(Protocol):
    """The audit log."""

    def head(self) -> Link: ...

    def size(self) -> int: ...

    def checkpoint(self, key: CheckpointKey, file_bytes: int) -> Checkpoint | None: ...

    def prune(
        self, total_bytes: int, known_to_hub: int, key: CheckpointKey
    ) -> Checkpoint | None: ...


@dataclass(frozen=True, slots=True)
class AnchoringLimits:
    """Attributes:
    every_s: what was recorded is signed for within this time, s.
    records: and after so many records.
    file_bytes: a file of the log as long as this is finished.
    total_bytes: files are given up when the log is longer.
    """

    every_s: float
    records: int
    file_bytes: int
    total_bytes: int


class Anchoring:
    """Signs for the log now and then. Safe to use from all threads.

    Args:
        audit: the log.
        key: who signs; raises RefusedError while it is locked.
        publish: sends a checkpoint to the hub; None: there is no hub, and nobody's word is waited
            for before a file is given up.
        limits: see `AnchoringLimits`.
        armed: whether the device is, now.
        clock, log: as everywhere.
    """

    def __init__(
        self,
        audit: CheckpointLog,
        key: Callable[[], CheckpointKey],
        publish: Callable[[Checkpoint], None] | None,
        limits: AnchoringLimits,
        *,
        armed: Callable[[], bool],
        clock: Clock,
        log: Log,
    ) -> None:
        self._audit = audit
        self._key = key
        self._publish = publish
        self._limits = limits
        self._armed = armed
        self._clock = clock
        self._log = log
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._made: dict[str, int] = {}
        self._known = _ANY if publish is None else -1
        self._signed = -1
        self._size = -1
        self._due = Monotonic(clock.monotonic())
        self._trouble = ""
        self._was_armed = False
        self._use_ended = threading.Event()

    def is_armed(self, armed: bool) -> None:
        """To be told of every change: what a use has recorded is signed for when it ends."""
        if self._was_armed and not armed:
            self._use_ended.set()
        self._was_armed = armed

    def upkeep(self) -> None:
        """To be called every few seconds: a checkpoint, if it is time for one."""
        with self._turn:
            self._look()

    def last_one(self) -> None:
        """The run ends: sign for all that was recorded and is not signed for."""
        with self._turn:
            try:
                if self._audit.head().seq > self._signed:
                    self._sign(self._clock.monotonic())
            except RefusedError:
                return
            except (BodycamError, ValueError) as error:
                self._complain(" ".join(str(error).split()))

    def _look(self) -> None:
        now, size, ended = self._clock.monotonic(), self._audit.size(), self._use_ended.is_set()
        if size == self._size and now < self._due and not ended:
            return
        self._use_ended.clear()
        try:
            new = self._audit.head().seq - self._signed
            due = now >= self._due and (new > 0 or self._armed())
            if new >= self._limits.records or due or (ended and new > 0):
                self._sign(now)
                self._give_up_old_files()
        except (BodycamError, ValueError) as error:  # alerts matter more than this
            if ended:
                self._use_ended.set()
            if not isinstance(error, RefusedError):  # locked: signed for once it is open
                self._complain(" ".join(str(error).split()))
            return
        self._size, self._trouble = self._audit.size(), ""

    def is_mine(self, event: str) -> bool:
        """Whether an event of that id is a checkpoint of this run."""
        with self._lock:
            return event in self._made

    def delivered(self, event: str, at: Monotonic) -> None:
        """An event was confirmed, whichever it is."""
        del at
        with self._lock:
            self._known = max(self._known, self._made.get(event, -1))

    def settled(self) -> bool:
        """Whether the hub has the latest checkpoint, or there is none to wait for."""
        with self._lock:
            return self._known >= max(self._made.values(), default=-1)

    def _sign(self, now: Monotonic) -> None:
        self._note(self._audit.checkpoint(self._key(), self._limits.file_bytes))
        self._due = Monotonic(now + self._limits.every_s)

    def _give_up_old_files(self) -> None:
        with self._lock:
            known = self._known
        self._note(self._audit.prune(self._limits.total_bytes, known, self._key()))

    def _note(self, made: Checkpoint | None) -> None:
        if made is None:
            return
        self._signed = made.last.seq + 1  # its own record
        if self._publish is not None:
            with self._lock:
                self._made[made.id] = made.last.seq
            self._publish(made)

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._log.warning("the audit log is not signed for", reason=trouble)
