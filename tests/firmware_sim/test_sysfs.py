"""The folder that looks like the kernel's, and the agent's own adapters before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.adapters.leds import SysfsIndicator
from agent.adapters.sysfs import SysfsHardware
from agent.stages.indication import SIGNALS
from agent.values.hardware import BatteryLevel, HardwareState
from agent.values.states import State
from firmware_sim.errors import SimError
from firmware_sim.sysfs import LAMP, VIBRATOR, Readings, Shown, SysfsTree
from tests.support.logs import KeptLog

READINGS = Readings(83, "Discharging", 3.8125, -0.7, 51.25, 33.5)


def test_the_kernels_names_and_units(tmp_path: Path) -> None:
    SysfsTree(tmp_path).show(READINGS)
    kernel = tmp_path / "class"
    battery = kernel / "power_supply/battery"
    names = ("type", "capacity", "status", "voltage_now", "current_now", "temp")
    assert [(battery / name).read_text() for name in names] == [
        "Battery\n", "83\n", "Discharging\n", "3812500\n", "-700000\n", "335\n",
    ]  # fmt: skip
    assert (kernel / "thermal/thermal_zone0/temp").read_text() == "51250\n"
    assert (kernel / "power_supply/usb/online").read_text() == "0\n"
    assert not list(tmp_path.rglob(".new*"))


def test_the_agents_reader_understands_it(tmp_path: Path) -> None:
    SysfsTree(tmp_path).show(READINGS)
    assert SysfsHardware(tmp_path).read() == HardwareState(BatteryLevel(83.0, False, 3.8125), 51.25)


@pytest.mark.parametrize("state", ["armed", "disarmed", "arming", "degraded", "locked", "off"])
def test_the_agents_lamp_is_seen(tmp_path: Path, state: State) -> None:
    tree, log = SysfsTree(tmp_path), KeptLog()
    SysfsIndicator(tmp_path, LAMP, VIBRATOR, log).show(state)
    signal = SIGNALS[state]
    seen = tree.shown()
    assert bool(seen.on_ms) == bool(signal.on_ms)
    assert bool(seen.off_ms) == bool(signal.off_ms)
    if signal.on_ms and signal.off_ms:
        assert (seen.on_ms, seen.off_ms) == (signal.on_ms, signal.off_ms)
    assert log.lines == []


def test_a_pulse_is_felt_once(tmp_path: Path) -> None:
    tree = SysfsTree(tmp_path)
    indicator = SysfsIndicator(tmp_path, LAMP, VIBRATOR, KeptLog())
    indicator.show("disarmed")
    assert tree.shown().pulse_ms == 0
    indicator.show("armed")
    assert [tree.shown(), tree.shown()] == [Shown(1, 0, 150), Shown(1, 0, 0)]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SimError, match="cannot be written"):
        SysfsTree(tmp_path / "file")
