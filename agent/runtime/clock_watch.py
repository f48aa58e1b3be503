"""Every change of the wall clock has a record: what the log says about times hangs on it."""

from __future__ import annotations

from typing import Protocol

from agent.policy.trusted_time import why_moved
from agent.ports import Clock


class Ledger(Protocol):
    """The audit log."""

    def append(self, kind: str, **fields: str | int) -> object: ...


class ClockWatch:
    """Compares the two clocks now and then.

    Args:
        clock: both times are read.
        ledger: told of a step.
    """

    def __init__(self, clock: Clock, ledger: Ledger) -> None:
        self._clock = clock
        self._ledger = ledger
        self._before = clock.wall(), clock.monotonic()

    def upkeep(self) -> None:
        """To be called every few seconds: a clock that a time server slews moves less than that.

        Raises:
            DiskError: it cannot be recorded.
        """
        now = self._clock.wall(), self._clock.monotonic()
        before, self._before = self._before, now
        why = why_moved(before, wall=now[0], now=now[1])
        if why:
            step_s = abs((now[0] - before[0]) - (now[1] - before[1]))
            self._ledger.append("time", reason=why, step_ms=round(step_s * 1000))
