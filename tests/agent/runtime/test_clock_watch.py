from __future__ import annotations

import pytest

from agent.runtime.clock_watch import ClockWatch
from tests.support.agents import KeptLedger
from tests.support.clocks import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def ledger():
    return KeptLedger()


@pytest.fixture
def watch(clock, ledger):
    return ClockWatch(clock, ledger)


@pytest.mark.parametrize(
    ("step", "says"),
    [(-3600.0, "the clock was set back by 3600 s"), (90.0, "the clock was set forward by 90 s")],
)
def test_a_clock_that_is_set_has_one_record(clock, ledger, watch, step, says):
    clock.advance(2.0)
    clock.wall_now += step
    watch.upkeep()
    clock.advance(2.0)
    watch.upkeep()
    assert ledger.records == [("time", {"reason": says, "step_ms": round(abs(step) * 1000)})]


def test_slewing_and_sleeping_are_no_steps(clock, ledger, watch):
    for _ in range(100):
        clock.advance(2.0)
        clock.wall_now += 0.1
        watch.upkeep()
    clock.advance(10_000.0)
    watch.upkeep()
    assert ledger.records == []
