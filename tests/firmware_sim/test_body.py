"""The body behind its interfaces, read by the agent's own adapters."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.gpsd import GpsdClient
from agent.adapters.leds import SysfsIndicator
from agent.adapters.sysfs import SysfsHardware
from agent.messages.control import ControlRequest
from firmware_sim.body import Body, BodyOptions
from firmware_sim.device import (
    Advance,
    Charge,
    ClockJumped,
    Heated,
    LostPower,
    Press,
    Pressed,
    Reset,
    Restarted,
)
from firmware_sim.gps import Sky
from firmware_sim.sysfs import LAMP, VIBRATOR
from tests.support.clocks import FakeClock
from tests.support.logs import KeptLog
from tests.support.receiver import wait_until

TRUTH = 1_800_000_000.0


@pytest.fixture
def body(tmp_path: Path) -> Iterator[Body]:
    body = Body(BodyOptions(sysfs=tmp_path, gps_port=0), now=100.0, wall=TRUTH)
    yield body
    body.close()


def test_battery_and_heat_are_what_the_agent_reads(body: Body, tmp_path: Path) -> None:
    body.apply(Charge(42.0), now=101.0)
    body.apply(Heated(77.5), now=101.0)
    found = SysfsHardware(tmp_path).read()
    assert found.battery is not None
    assert (found.battery.percent, found.battery.charging) == (42.0, False)
    assert 3.3 < (found.battery.volts or 0) < 3.8, "the voltage sags under load"
    assert found.temperature_c == 77.5
    body.tick(now=4000.0)
    later = SysfsHardware(tmp_path).read()
    assert later.battery is not None
    assert later.battery.percent < 42


def test_an_empty_battery_ends_it(body: Body) -> None:
    assert LostPower(brown_out=True) in body.apply(Charge(0.0), now=101.0)
    assert body.state.video == "off"


def test_the_agents_lamp_and_vibrator_reach_the_device(body: Body, tmp_path: Path) -> None:
    indicator = SysfsIndicator(tmp_path, LAMP, VIBRATOR, KeptLog())
    indicator.show("disarmed")
    indicator.show("armed")
    body.tick(now=101.0)
    assert (body.state.lamp, body.state.pulses) == ((1, 0), 1)


def test_the_clock_is_set_by_the_satellites_once_a_boot(tmp_path: Path) -> None:
    heard: list[Any] = []
    body = Body(BodyOptions(gps_port=0), now=0.0, wall=TRUTH, on_effect=heard.append)
    jumps = [effect for effect in heard if isinstance(effect, ClockJumped)]
    assert len(jumps) == 1
    assert body.state.wall_at(50.0) == TRUTH + 50
    body.apply(Sky(2), now=60.0)
    assert Restarted(watchdog=False) in body.apply(Reset(), now=61.0)
    body.tick(now=90.0)
    assert body.state.wall_at(90.0) < TRUTH - 1e7, "no fix, no time"
    body.apply(Sky(8), now=91.0)
    assert body.state.wall_at(91.0) == TRUTH + 91
    body.close()


def test_a_fix_a_second_reaches_the_agent(body: Body) -> None:
    client = GpsdClient("127.0.0.1", body.gps_port or 0, silence_s=10, clock=FakeClock())
    client.connect()
    now = 101.0

    def located() -> bool:
        nonlocal now
        now += 0.5
        body.tick(now=now)
        client.receive()
        return client.latest() is not None

    wait_until(located, "a fix")
    fix = client.latest()
    assert fix is not None
    assert (round(fix.lat, 4), round(fix.lon, 4)) == (47.6062, -122.3321)
    client.close()


class Agent:
    """Who listens on a control socket: keeps what it was asked, and is armed or not."""

    def __init__(self, path: Path) -> None:
        self.asked: list[ControlRequest] = []
        self.armed = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        self._socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            with peer:
                request = ControlRequest.model_validate_json(peer.makefile("rb").readline())
                self.asked.append(request)
                if request.command != "status":
                    self.armed = request.command == "arm"
                answer = {"ok": True, "data": {"armed": self.armed}}
                peer.sendall(json.dumps(answer).encode() + b"\n")

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def test_the_arm_button_arms_and_disarms_through_the_control_socket(tmp_path: Path) -> None:
    agent = Agent(tmp_path / "s")
    body = Body(BodyOptions(control=tmp_path / "s"), now=0.0, wall=TRUTH)
    assert body.apply(Press("arm"), now=1.0) == (Pressed("arm"),)
    assert agent.armed
    body.apply(Press("mark"), now=2.0)
    body.apply(Press("arm"), now=3.0)
    assert not agent.armed
    assert [request.command for request in agent.asked] == ["status", "arm", "status", "disarm"]
    assert agent.asked[1].reason == "button"
    agent.close()
    body.apply(Press("arm"), now=4.0)
    assert body.answers[-1]["ok"] is False
    body.close()


def test_it_goes_on_without_any_interface() -> None:
    body = Body(BodyOptions(), now=0.0, wall=TRUTH)
    assert body.tick(now=10.0) == ()
    assert body.apply(Advance(), now=11.0) == ()
    assert (body.gps_port, body.state.video) == (None, "on")
    body.close()
