"""The kernel's files, as they are, as they should not be, and not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.adapters.sysfs import SysfsHardware
from agent.values.hardware import BatteryLevel, HardwareState


def put(root: Path, where: str, **files: str) -> Path:
    folder = root / "class" / where
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")
    return folder


def read(root: Path) -> HardwareState:
    return SysfsHardware(root).read()


def test_battery_and_the_hottest_zone(tmp_path: Path) -> None:
    put(tmp_path, "power_supply/ac", type="Mains", online="1")
    put(
        tmp_path, "power_supply/bat0", type="Battery", capacity="83", status="Discharging",
        voltage_now="3812000",
    )  # fmt: skip
    put(tmp_path, "thermal/thermal_zone0", type="cpu-thermal", temp="51250")
    put(tmp_path, "thermal/thermal_zone1", type="gpu-thermal", temp="48000")
    put(tmp_path, "thermal/cooling_device0", type="fan", temp="99000")
    assert read(tmp_path) == HardwareState(BatteryLevel(83.0, False, 3.812), 51.25)


@pytest.mark.parametrize(
    ("status", "charging"),
    [("Charging", True), ("Full", True), ("Not charging", False), ("Unknown", None), ("", None)],
)
def test_whether_it_charges(tmp_path: Path, status: str, charging: bool | None) -> None:
    put(tmp_path, "power_supply/b", type="Battery", capacity="5", status=status)
    assert read(tmp_path).battery == BatteryLevel(5.0, charging, None)


def test_the_battery_of_a_mouse_is_not_ours(tmp_path: Path) -> None:
    put(tmp_path, "power_supply/a-mouse", type="Battery", scope="Device", capacity="3")
    assert read(tmp_path).battery is None
    put(tmp_path, "power_supply/b", type="Battery", scope="System", capacity="70")
    assert read(tmp_path).battery == BatteryLevel(70.0)


@pytest.mark.parametrize("capacity", ["", "many", "101", "-1", "9" * 300, "\xff"])
def test_a_charge_that_makes_no_sense_is_none(tmp_path: Path, capacity: str) -> None:
    put(tmp_path, "power_supply/b", type="Battery", capacity=capacity)
    assert read(tmp_path).battery is None


def test_broken_sensors_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "thermal/thermal_zone0", temp="-273000")
    put(tmp_path, "thermal/thermal_zone1", temp="40000")
    put(tmp_path, "thermal/thermal_zone2", temp="2147483647")
    put(tmp_path, "thermal/thermal_zone3", type="nothing to read")
    (put(tmp_path, "thermal/thermal_zone4") / "temp").mkdir()
    assert read(tmp_path).temperature_c == 40.0


def test_a_machine_without_any_of_it(tmp_path: Path) -> None:
    assert read(tmp_path / "nowhere") == HardwareState()
