"""The sync thread: looks for a newer list, now and then and when nudged, at low priority.

What it installs is found on disk by the builder, which puts it into service. A server that cannot
be reached is normal and changes nothing; an update that is refused is a condition that an operator
sees until a good one comes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from agent.delivery import Backoff
from agent.errors import BodycamError
from agent.messages import iso_utc
from agent.ports import Clock
from agent.ports.log import Log
from agent.runtime.board import Board
from agent.runtime.builder_loop import lower_priority
from agent.runtime.heartbeats import Heartbeats
from agent.values import Monotonic, Wall
from agent.values.sync import (
    Fault,
    Installed,
    NoChange,
    Refused,
    SyncReport,
    SyncResult,
    Unreachable,
    Withdrawn,
)

STAGE: Final = "sync"
NUDGE_EVERY_S: Final = 10.0
"""Whoever can publish to the broker can nudge; this is all the work he can make."""
_FIRST_WITHIN_S: Final = 5.0
_FIRST_RETRY_S: Final = 30.0
_CLOCK_RETRY_S: Final = 5.0
"""Nobody is asked, and clocks are set right within seconds."""
_BEAT_S: Final = 0.5
_PLAIN: Final = frozenset({Fault.CLOCK, Fault.REMOVED, Fault.NOT_OURS})
"""Nothing was offered that could be refused."""

Look = Callable[[Callable[[float], bool]], SyncReport]


class Timetable:
    """When the next look is due. Values only; not for several threads at once.

    Args:
        every_s: pause between two looks, s.
        jitter: the pause varies by this share.
        chance: uniform numbers in [0, 1).
        now: monotonic.
    """

    def __init__(
        self, every_s: float, jitter: float, chance: Callable[[], float], *, now: Monotonic
    ) -> None:
        self._every_s = every_s
        self._jitter = jitter
        self._chance = chance
        self._backoff = Backoff(min(_FIRST_RETRY_S, every_s), every_s)
        self._failures = 0
        self._began: Monotonic | None = None
        self._nudged = False
        self.due = Monotonic(now + min(_FIRST_WITHIN_S, every_s) * chance())

    def nudge(self, *, now: Monotonic) -> None:
        """Somebody says that there is news: look soon, but never twice within `NUDGE_EVERY_S`."""
        self._nudged = True
        self.due = min(self.due, self._soonest(now))

    def begin(self, *, now: Monotonic) -> None:
        """A look begins; a nudge from here on is for the next one."""
        self._began, self._nudged = now, False

    def end(self, result: SyncResult, *, now: Monotonic) -> None:
        """It came to this."""
        if _wrong_clock(result):
            pause = min(_CLOCK_RETRY_S, self._every_s)
        elif isinstance(result, Unreachable):
            self._failures += 1
            pause = self._backoff.pause_s(self._failures, self._chance())
        else:
            self._failures = 0
            pause = self._every_s * (1 + self._jitter * (2 * self._chance() - 1))
        later = Monotonic(now + pause)
        self.due = min(later, self._soonest(now)) if self._nudged else later

    def _soonest(self, now: Monotonic) -> Monotonic:
        return now if self._began is None else max(now, Monotonic(self._began + NUDGE_EVERY_S))


def _wrong_clock(result: SyncResult) -> bool:
    return isinstance(result, Refused) and result.fault is Fault.CLOCK


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """Where following the list stands.

    Attributes:
        looks: since the start.
        last_look, last_good: when the latest one ended, and the latest that was good, wall.
        received: bytes of the latest one.
        result: of the latest one, in one line.
        kind: of the result: nochange, installed, withdrawn, unreachable, refused; empty at first.
        fault: of a refusal.
    """

    looks: int = 0
    last_look: Wall | None = None
    last_good: Wall | None = None
    received: int = 0
    result: str = "not looked yet"
    kind: str = ""
    fault: str | None = None


class SyncLoop:
    """Looks until stopped. `nudge`, `stop` and `status` are for any thread.

    Args:
        look: one look; given how to wait: so many seconds, or until we are to stop.
        timetable: touched under a lock.
        clock, board, heartbeats, log: as everywhere.
    """

    def __init__(
        self,
        look: Look,
        timetable: Timetable,
        *,
        clock: Clock,
        board: Board,
        heartbeats: Heartbeats,
        log: Log,
    ) -> None:
        self._look = look
        self._timetable = timetable
        self._clock = clock
        self._board = board
        self._heartbeats = heartbeats
        self._log = log
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._status = SyncStatus()
        self._refused = ""

    def nudge(self) -> None:
        """There may be news."""
        with self._lock:
            self._timetable.nudge(now=self._clock.monotonic())
        self._wake.set()

    def heard(self, message: bytes) -> None:
        """A nudge from the broker. What it says is ignored: anybody may have written it."""
        del message
        self.nudge()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()

    def run(self, lower: Callable[[], None] | None = None) -> None:
        """Until `stop`.

        Args:
            lower: lowers the priority of the calling thread; None: `setpriority`.
        """
        (lower or lower_priority)()
        while not self._stopping.is_set():
            self._heartbeats.beat(STAGE)
            self.turn()
            self._wake.wait(_BEAT_S)
            self._wake.clear()
        self._heartbeats.done(STAGE)

    def turn(self) -> None:
        """A look, if it is time for one."""
        now = self._clock.monotonic()
        with self._lock:
            if now < self._timetable.due:
                return
            self._timetable.begin(now=now)
        report = self._one_look()
        with self._lock:
            self._timetable.end(report.result, now=self._clock.monotonic())
        if not self._stopping.is_set():
            self._tell(report)

    def status(self) -> dict[str, Any]:
        """For `ctl status`."""
        with self._lock:
            status, left = self._status, self._timetable.due - self._clock.monotonic()
        return {
            "result": status.result,
            "kind": status.kind,
            "fault": status.fault,
            "last_good": None if status.last_good is None else iso_utc(status.last_good),
            "last_look": None if status.last_look is None else iso_utc(status.last_look),
            "looks": status.looks,
            "bytes": status.received,
            "next_look_s": round(max(0.0, left), 1),
        }

    def _one_look(self) -> SyncReport:
        try:
            return self._look(self._wait)
        except BodycamError as error:  # what happened could not even be recorded
            return SyncReport(Refused(Fault.DEVICE, " ".join(str(error).split())))

    def _wait(self, seconds: float) -> bool:
        self._heartbeats.beat(STAGE)
        return self._stopping.wait(seconds) if seconds > 0 else self._stopping.is_set()

    def _tell(self, report: SyncReport) -> None:
        result, now = report.result, self._clock.wall()
        line = in_words(result)
        good = isinstance(result, (NoChange, Installed, Withdrawn))
        changed = line != self._status.result
        clock_was_wrong = self._status.fault == Fault.CLOCK.value
        with self._lock:
            self._status = replace(
                self._status,
                looks=self._status.looks + 1,
                last_look=now,
                last_good=now if good else self._status.last_good,
                received=report.received,
                result=line,
                kind=type(result).__name__.lower(),
                fault=result.fault.value if isinstance(result, Refused) else None,
            )
        if good:
            self._refused = ""
        elif isinstance(result, Refused) and not _wrong_clock(result):
            self._refused = line
        if _wrong_clock(result):
            self._board.sync(line)
        elif clock_was_wrong or not isinstance(result, Unreachable):
            self._board.sync(self._refused)  # whoever got as far as the network has a sane clock
        if changed:
            say = self._log.info if good else self._log.warning
            say("watchlist sync", reason=line)


def in_words(result: SyncResult) -> str:
    """One line for an operator."""
    if isinstance(result, NoChange):
        return f"{result.list_id} v{result.version} is the newest"
    if isinstance(result, Installed):
        return (
            f"{result.list_id} v{result.version}: {result.entries} entries, {result.fetched} of "
            f"{result.shards} shards fetched"
        )
    if isinstance(result, Withdrawn):
        return f"{result.list_id} was withdrawn by the agency, and destroyed here"
    if isinstance(result, Refused) and result.fault not in _PLAIN:
        return f"list update refused: {result.reason}"
    return result.reason
