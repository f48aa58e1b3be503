"""Battery and heat to effort and disarming, on a whole pipeline loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.config.governor import GovernorConfig, GovernorRule
from agent.errors import RefusedError
from agent.runtime.governing import Governing
from agent.runtime.orders import Adjust
from agent.stages.governor import Effort
from agent.values.hardware import BatteryLevel, HardwareState
from tests.support.agents import MAN, Rig

ASKED, LEAST = Effort(10.0, 24.0, 4.0), Effort(2.0, 64.0, 1.0)


@dataclass
class FakeHardware:
    battery: float | None = 90.0
    charging: bool = False
    celsius: float | None = 40.0

    def read(self) -> HardwareState:
        battery = None if self.battery is None else BatteryLevel(self.battery, self.charging)
        return HardwareState(battery, self.celsius)


class World:
    """A governed pipeline loop with a man before it."""

    def __init__(
        self, rig: Rig, *, live: bool = True, enabled: bool = True, asked: Effort = ASKED
    ) -> None:
        self.rig, self.hardware = rig, FakeHardware()
        self.efforts: list[Effort] = []
        self.governing = Governing(
            GovernorConfig(enabled=enabled), asked, LEAST, hardware=self.hardware,
            tally=rig.loop.tally, live=live, adjust=self._adjust, board=rig.board,
            clock=rig.clock, log=rig.log,
        )  # fmt: skip

    def _adjust(self, effort: Effort) -> None:
        self.efforts.append(effort)
        self.rig.mailbox.post(Adjust(effort))

    def pass_time(self, seconds: float, person: int = 0) -> None:
        """As the delivery thread does it: a look every two seconds."""
        for _ in range(round(seconds / 2)):
            self.rig.show(person, 2.0)
            self.governing.upkeep()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.outbox.close()


def test_a_low_battery_makes_it_look_less_often_and_a_charger_more_again(rig: Rig) -> None:
    world = World(rig)
    rig.arm()
    world.pass_time(10)
    assert world.efforts == []
    world.hardware.battery = 25.0
    world.pass_time(6)
    assert world.efforts == [Effort(6.0, 24.0, 3.0)]
    assert world.governing.status() == {
        "rules": ["battery-low"], "detections_per_second": 6.0, "smallest_face_px": 24.0,
        "shots_per_second": 3.0,
        "trouble": "",
    }  # fmt: skip
    world.hardware.charging = True
    world.pass_time(28)
    assert len(world.efforts) == 1
    world.pass_time(6)
    assert world.efforts[1:] == [ASKED]
    assert rig.board.condition.state == "armed"


def test_an_empty_battery_disarms_and_forbids_arming_until_it_is_charged(rig: Rig) -> None:
    world = World(rig)
    rig.arm()
    world.pass_time(4, MAN)
    assert rig.outbox.depth() > 0
    world.hardware.battery = 2.0
    world.pass_time(8, MAN)
    condition = rig.board.condition
    assert (condition.armed, condition.state) == (False, "degraded")
    assert "battery-empty: 1 detections/s, 2 are the least under the policy" in condition.reason
    assert rig.ledger.kinds()[-1] == "disarm"
    raised = rig.outbox.depth()
    world.pass_time(10, MAN)
    assert rig.outbox.depth() == raised
    with pytest.raises(RefusedError, match="battery-empty"):
        rig.arm().answer.wait(0)
    world.hardware.battery = 50.0
    world.pass_time(40, MAN)
    assert rig.board.condition.state == "disarmed", "it does not arm itself again"
    rig.arm().answer.wait(0)
    assert rig.board.condition.armed


def test_heat_does_the_same(rig: Rig) -> None:
    world = World(rig)
    rig.arm()
    world.hardware.celsius = 84.0
    world.pass_time(8)
    assert world.efforts[-1] == Effort(3.0, 36.0, 2.0)
    assert rig.board.condition.armed
    world.hardware.celsius = 95.0
    world.pass_time(8)
    assert not rig.board.condition.armed
    assert "overheated" in rig.board.condition.reason


def test_load_counts_for_live_sources_only(tmp_path: Path) -> None:
    for live in (True, False):
        (tmp_path / str(live)).mkdir()
        rig = Rig(tmp_path / str(live))
        world = World(rig, live=live)
        for _ in range(20):
            rig.clock.advance(2.0)
            rig.loop.tally.busy_s += 2.0
            world.governing.upkeep()
        assert world.efforts == ([Effort(6.0, 24.0, 4.0)] if live else [])
        rig.outbox.close()


def test_what_is_told_to_others_follows_battery_and_heat_alone(rig: Rig) -> None:
    world = World(rig)
    world.hardware.celsius = 76.0
    rig.loop.tally.followed = 60
    for _ in range(5):
        rig.clock.advance(2.0)
        world.governing.upkeep()
    status = world.governing.status()
    assert status is not None
    assert status["rules"] == ["warm", "crowd"]
    assert world.governing.hardware_effort() == (("warm",), Effort(6.0, 24.0, 3.0))


def test_switched_off_it_does_nothing(rig: Rig) -> None:
    world = World(rig, enabled=False)
    rig.arm()
    world.hardware.battery = 0.0
    world.pass_time(20)
    assert (world.efforts, world.governing.status()) == ([], None)
    assert world.governing.hardware_effort() is None
    assert rig.board.condition.armed


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize(
    "asked", [Effort(1.0, 24.0, 4.0), Effort(10.0, 65.0, 4.0), Effort(10.0, 24.0, 0.5)]
)
def test_local_settings_below_the_policy_forbid_arming_from_the_first_moment(
    rig: Rig, asked: Effort, enabled: bool
) -> None:
    World(rig, enabled=enabled, asked=asked)
    with pytest.raises(
        RefusedError, match=r"as configured \(detection\.max_rate_hz.*under the pol"
    ):
        rig.arm().answer.wait(0)
    rig.show(MAN, 3.0)
    assert rig.outbox.depth() == 0
    assert rig.loop.tally.processed == 0


def test_a_stricter_policy_disarms_and_an_easier_one_lets_go_on(rig: Rig) -> None:
    world = World(rig)
    rig.arm()
    world.hardware.battery = 25.0
    world.pass_time(6, MAN)
    assert rig.board.condition.armed
    world.governing.hold_to(Effort(7.0, 64.0, 1.0))
    looked = rig.loop.tally.processed
    rig.show(MAN, 2.0)
    assert rig.loop.tally.processed == looked
    assert rig.ledger.records[-1][1]["cause"] == "power"
    assert "battery-low: 6 detections/s, 7 are the least" in rig.board.condition.reason
    world.governing.hold_to(LEAST)
    rig.arm().answer.wait(0)
    assert rig.board.condition.armed


def test_rules_of_ones_own_cannot_go_below_the_policy(rig: Rig) -> None:
    """A table that goes on with a dying battery at any price is a table that disarms."""
    lax = GovernorRule(name="go-on", measure="battery", at=99, back=100, rate_hz=0.5)
    world = World(rig)
    world.governing = Governing(
        GovernorConfig(rules=(lax,)), ASKED, LEAST, hardware=world.hardware,
        tally=rig.loop.tally, live=True, adjust=world._adjust, board=rig.board,
        clock=rig.clock, log=rig.log,
    )  # fmt: skip
    rig.arm()
    world.pass_time(8, MAN)
    assert not rig.board.condition.armed
    assert world.efforts == []
