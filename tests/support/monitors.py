"""The running monitor of false alerts, with its counts in memory."""

from __future__ import annotations

from agent.policy.fpir_monitor import FpirCounts, Sprt
from agent.runtime.fpir_watch import FpirWatch
from tests.support.clocks import FakeClock
from tests.support.logs import KeptLog


class KeptCounts:
    """Remembers what was saved; `error` is raised instead of saving or loading."""

    def __init__(self) -> None:
        self.kept = (FpirCounts(), "")
        self.saves = 0
        self.error: Exception | None = None

    def load(self) -> tuple[FpirCounts, str]:
        if self.error:
            raise self.error
        return self.kept

    def save(self, counts: FpirCounts, crossed: str) -> None:
        if self.error:
            raise self.error
        self.kept = counts, crossed
        self.saves += 1


def a_monitor(
    keeper: KeptCounts | None = None, clock: FakeClock | None = None, log: KeptLog | None = None
) -> FpirWatch:
    return FpirWatch(
        lambda: Sprt(0.001),
        1.0,
        keeper or KeptCounts(),
        clock=clock or FakeClock(),
        log=log or KeptLog(),
    )
