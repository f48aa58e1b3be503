"""Random timelines of a body's faults before a governed pipeline loop, in made-up time.

Whatever happens to battery, heat and firmware: nothing fails, nobody is reported while disarmed,
and the listed man is reported again once all is well and somebody has armed.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from agent.config.governor import GovernorConfig
from agent.errors import RefusedError
from agent.runtime.governing import Governing
from agent.runtime.orders import Adjust, Disarm
from agent.stages.governor import Effort
from agent.values.hardware import BatteryLevel, HardwareState
from firmware_sim.device import (
    Advance,
    Ambient,
    Charge,
    Command,
    Device,
    Hang,
    Heated,
    Load,
    Plug,
    PowerOn,
    Reset,
    Stall,
)
from firmware_sim.device.power import status
from tests.support.agents import MAN, NOBODY, Rig

ASKED, LEAST = Effort(10.0, 24.0, 4.0), Effort(2.0, 64.0, 1.0)
TIMELINES, STEPS, TURN_S = 50, 12, 2.0
SINGLE: tuple[Command, ...] = (
    Charge(1.0), Charge(12.0), Heated(84.0), Heated(99.0), Ambient(60.0), Stall(15.0), Hang(),
    Reset(), Load(1.0),
)  # fmt: skip


class Body:
    """A simulated device; what the agent's reader would read of it."""

    def __init__(self, now: float) -> None:
        self.device = Device(now=now - 20.0)
        self.device.step(PowerOn(), now=now - 20.0)
        self.device.step(Advance(), now=now)

    def read(self) -> HardwareState:
        state = self.device.state
        charging = status(state) != "Discharging"
        return HardwareState(BatteryLevel(float(state.percent), charging), state.heat.chip_c)


class World:
    def __init__(self, folder: Path) -> None:
        self.rig = Rig(folder)
        self.clock = self.rig.clock
        self.body = Body(self.clock.now)
        self.governing = Governing(
            GovernorConfig(), ASKED, LEAST, hardware=self.body, tally=self.rig.loop.tally,
            live=True, adjust=lambda effort: self.rig.mailbox.post(Adjust(effort)),
            board=self.rig.board, clock=self.clock, log=self.rig.log,
        )  # fmt: skip

    def happens(self, command: Command) -> None:
        self.body.device.step(command, now=self.clock.now)

    def turn(self, person: int) -> None:
        """Two seconds; pictures come only while the body's camera gives any."""
        seen = person if self.body.device.state.video == "on" else None
        before, was = self.rig.outbox.depth(), self.rig.board.condition
        if seen is None:
            self.clock.advance(TURN_S)
            self.rig.loop.turn(0)
        else:
            self.rig.show(seen, TURN_S)
        self.body.device.step(Advance(), now=self.clock.now)
        self.governing.upkeep()
        if was.effort:
            assert not self.rig.board.condition.armed, "too little power to look"
        if not was.armed:
            assert self.rig.outbox.depth() == before, "somebody was reported while disarmed"

    def try_to_arm(self) -> bool:
        try:
            self.rig.arm().answer.wait(0)
        except RefusedError as error:
            refused = str(error)
        else:
            return True
        assert refused == self.rig.board.condition.effort
        return False

    def recovers(self) -> None:
        """Plugged in, cool and running again; the man who comes is reported within the minute."""
        for command in (
            Plug(20.0),
            Charge(90.0),
            Ambient(20.0),
            Heated(40.0),
            Load(0.3),
            PowerOn(),
        ):
            self.happens(command)
        for _ in range(40):
            self.turn(NOBODY)
        assert self.body.device.state.video == "on"
        assert self.rig.board.condition.effort == ""
        assert self.governing.status() == {
            "rules": [], "detections_per_second": 10.0, "smallest_face_px": 24.0,
            "shots_per_second": 4.0, "trouble": "",
        }  # fmt: skip
        assert self.try_to_arm()
        before = self.rig.outbox.depth()
        for _ in range(3):
            self.turn(MAN)
        assert self.rig.outbox.depth() > before

    def close(self) -> None:
        self.rig.outbox.close()


@pytest.mark.parametrize("fault", SINGLE, ids=repr)
def test_each_fault_alone_is_recovered_from(tmp_path: Path, fault: Command) -> None:
    world = World(tmp_path)
    world.try_to_arm()
    for _ in range(3):
        world.turn(MAN)
    assert world.rig.outbox.depth() > 0
    world.happens(fault)
    for _ in range(15):
        world.turn(MAN)
    world.recovers()
    world.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(TIMELINES))
def test_random_pairs_of_faults(tmp_path: Path, seed: int) -> None:
    world, lot = World(tmp_path), random.Random(seed)
    world.try_to_arm()
    for fault in lot.sample(SINGLE, 2):
        world.happens(fault)
        for _ in range(lot.randrange(1, STEPS)):
            world.turn(lot.choice((MAN, NOBODY)))
            if lot.random() < 0.1:
                world.rig.mailbox.post(Disarm("operator", 1000))
            if lot.random() < 0.2:
                world.try_to_arm()
    world.recovers()
    world.close()
