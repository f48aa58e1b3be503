"""Battery and heat that go away and come back."""

from __future__ import annotations

from agent.runtime.hardware_watch import HardwareWatch
from agent.values.hardware import BatteryLevel, HardwareState
from agent.values.states import State
from tests.support.logs import KeptLog

WHOLE = HardwareState(BatteryLevel(80.0), 40.0)


class World:
    def __init__(self) -> None:
        self.found, self.log, self.refreshed = WHOLE, KeptLog(), 0
        self.watch = HardwareWatch(self, self, self.log)

    def read(self) -> HardwareState:
        return self.found

    def show(self, state: State) -> None:
        raise AssertionError(state)

    def refresh(self) -> None:
        self.refreshed += 1

    def look(self, times: int, found: HardwareState) -> None:
        self.found = found
        for _ in range(times):
            self.watch.upkeep()


def test_each_loss_and_each_return_is_one_line() -> None:
    world = World()
    world.look(3, WHOLE)
    world.look(100, HardwareState())
    assert world.log.messages("warning") == [
        "battery cannot be read any more; see hardware.sysfs_root",
        "heat cannot be read any more; see hardware.sysfs_root",
    ]
    world.look(3, HardwareState(temperature_c=41.0))
    assert world.log.messages("info") == ["heat can be read again"]
    world.look(3, WHOLE)
    assert world.log.messages("info")[1:] == ["battery can be read again"]
    world.look(3, HardwareState(temperature_c=41.0))
    assert len(world.log.messages("warning")) == 3, "the next loss is told again"
    assert world.refreshed == 112


def test_a_gauge_that_is_busy_for_a_moment_is_no_loss() -> None:
    world = World()
    for _ in range(20):
        world.look(1, WHOLE)
        world.look(2, HardwareState())
    assert world.log.lines == []


def test_what_was_never_there_is_not_missed() -> None:
    world = World()
    world.look(50, HardwareState())
    assert world.log.lines == []
    assert world.refreshed == 50
