"""The kernel's files about the hardware, in /sys or in a folder that looks like it.

Names and units are the kernel's (Documentation/ABI/testing/sysfs-class-power, sysfs-class-thermal,
sysfs-class-led): percent, microvolts, thousandths of a degree Celsius.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from agent.values.hardware import BatteryLevel, HardwareState

_LONGEST: Final = 256
"""Bytes of any file that is read here; the kernel's are a few."""
_COLDEST_C: Final = -60.0
_HOTTEST_C: Final = 200.0
"""A sensor that says more, or less, is broken or not connected."""
_FULL: Final = 100.0
_CHARGING: Final = {"Charging": True, "Full": True, "Discharging": False, "Not charging": False}


class SysfsHardware:
    """Implements `agent.ports.hardware.Hardware`. Every call reads afresh.

    Args:
        root: `/sys`, or what stands in for it.
    """

    def __init__(self, root: Path) -> None:
        self._supplies = root / "class" / "power_supply"
        self._zones = root / "class" / "thermal"

    def read(self) -> HardwareState:
        return HardwareState(self._battery(), self._hottest_c())

    def _battery(self) -> BatteryLevel | None:
        """The first one, by name, that tells its charge; batteries of a mouse do not count."""
        for supply in _folders(self._supplies, "*"):
            if read_text(supply / "type") != "Battery" or read_text(supply / "scope") == "Device":
                continue
            percent = read_number(supply / "capacity")
            if percent is None or not 0 <= percent <= _FULL:
                continue
            microvolts = read_number(supply / "voltage_now")
            return BatteryLevel(
                percent=percent,
                charging=_CHARGING.get(read_text(supply / "status") or ""),
                volts=None if microvolts is None else microvolts / 1e6,
            )
        return None

    def _hottest_c(self) -> float | None:
        zones = _folders(self._zones, "thermal_zone*")
        thousandths = (read_number(zone / "temp") for zone in zones)
        found = [value / 1000 for value in thousandths if value is not None]
        return max((c for c in found if _COLDEST_C <= c <= _HOTTEST_C), default=None)


def read_text(file: Path) -> str | None:
    """What is in it, without blanks around it; None when it cannot be read."""
    try:
        with file.open("rb") as stream:
            return stream.read(_LONGEST).decode("ascii").strip()
    except (OSError, ValueError):
        return None


def read_number(file: Path) -> float | None:
    """A whole number in decimal; None when it cannot be read, or is none."""
    text = read_text(file)
    try:
        return None if text is None else float(int(text))
    except ValueError:
        return None


def _folders(parent: Path, pattern: str) -> Iterable[Path]:
    try:
        return sorted(parent.glob(pattern))
    except OSError:
        return ()
