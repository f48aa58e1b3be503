"""Eight hours of a body and the agent's adapters before it, in accelerated time: nothing grows."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from agent.adapters.gpsd import GpsdClient
from agent.adapters.leds import SysfsIndicator
from agent.adapters.sysfs import SysfsHardware
from agent.config.governor import GovernorConfig
from agent.stages.governor import Measures, at_first, govern, in_force
from agent.values import Monotonic
from agent.values.states import State
from firmware_sim.body import Body, BodyOptions
from firmware_sim.device import Ambient, Load, Plug, PowerOn, Reset
from firmware_sim.gps import Drift, Sky, Spoof
from firmware_sim.sysfs import LAMP, VIBRATOR
from tests.support.clocks import FakeClock
from tests.support.logs import KeptLog

TICK_S, SHIFT_S = 30.0, 8 * 3600.0
STATES: tuple[State, ...] = ("disarmed", "arming", "armed", "degraded", "locked", "off")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.slow
def test_a_shift_of_eight_hours(tmp_path: Path) -> None:
    lot, clock, log = random.Random(8), FakeClock(monotonic=0.0), KeptLog()
    body = Body(BodyOptions(sysfs=tmp_path, gps_port=0), now=0.0, wall=1_800_000_000.0)
    client = GpsdClient("127.0.0.1", body.gps_port or 0, silence_s=30, clock=clock)
    hardware, indicator = SysfsHardware(tmp_path), SysfsIndicator(tmp_path, LAMP, VIBRATOR, log)
    config = GovernorConfig()
    governor = at_first(config)
    client.connect()
    percents: list[float] = []
    governed: set[str] = set()
    early: tuple[int, float] = (0, 0.0)
    while clock.now < SHIFT_S:
        clock.advance(TICK_S)
        what = lot.choice(
            [Load(lot.random()), Ambient(lot.uniform(-5, 45)), Sky(lot.choice((0, 9)))]
        )
        if lot.random() < 0.02:
            what = lot.choice([Reset(), Spoof(lot.uniform(-9e3, 9e3), 0), Drift(1, 0), PowerOn()])
        if body.state.percent < 5 or body.state.phase == "off":
            body.apply(Plug(15), now=clock.now)
            body.apply(PowerOn(), now=clock.now)
        elif body.state.percent > 60:
            body.apply(Plug(0), now=clock.now)
        body.apply(what, now=clock.now)
        if body.state.phase == "running":
            client.receive()
        indicator.show(lot.choice(STATES))
        found = hardware.read()
        assert found.battery is not None
        percents.append(found.battery.percent)
        measures = Measures(found.battery.percent, found.battery.charging, found.temperature_c)
        governor = govern(governor, measures, config, now=Monotonic(clock.now))
        governed |= {rule.name for rule in in_force(governor, config)}
        if clock.now == 3600.0:
            early = (open_files(), resident_mb())
    client.close()
    assert open_files() <= early[0]
    assert resident_mb() - early[1] < 5
    assert (max(percents), min(percents) < 10) == (100.0, True)
    assert {"battery-low", "battery-critical"} <= governed
    assert client.status()["skipped"] == 0
    assert client.status()["leaps"], "the deceit was noticed"
    assert log.lines == []
    body.close()
