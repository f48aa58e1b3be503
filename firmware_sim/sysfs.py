"""A folder that looks like the kernel's /sys: battery, thermal zones, lamp and vibrator.

Names, units and the line feed are the kernel's; see agent/docs/device-interfaces.md.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from firmware_sim.errors import Exit, SimError

LAMP, VIBRATOR = "sim:red:status", "sim::vibrator"
_LAMP_FILES = {
    "brightness": "0", "max_brightness": "255", "trigger": "[none] timer", "delay_on": "0",
    "delay_off": "0",
}  # fmt: skip
_VIBRATOR_FILES = {
    "brightness": "0", "max_brightness": "1", "trigger": "[none] transient", "duration": "0",
    "state": "0", "activate": "0",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Readings:
    """What the hardware says.

    Attributes:
        percent: of the battery.
        status: as the kernel's `status`.
        volts: of the battery; amperes, below 0 when it is emptied.
        chip_c, skin_c: of processor and battery, degrees Celsius.
    """

    percent: int
    status: str
    volts: float
    amperes: float
    chip_c: float
    skin_c: float


@dataclass(frozen=True, slots=True)
class Shown:
    """What the program asked of lamp and vibrator.

    Attributes:
        on_ms, off_ms: of the lamp; off 0: steady, on 0: dark.
        pulse_ms: to be given once; 0: none.
    """

    on_ms: int
    off_ms: int
    pulse_ms: int


class SysfsTree:
    """Makes the tree, and keeps it up to date.

    Args:
        root: made if it is not there; the agent's `hardware.sysfs_root`.

    Raises:
        SimError: it cannot be written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._written: dict[Path, str] = {}
        kernel = root / "class"
        self._battery = kernel / "power_supply" / "battery"
        self._charger = kernel / "power_supply" / "usb"
        self._zones = (kernel / "thermal/thermal_zone0", kernel / "thermal/thermal_zone1")
        self._lamp, self._vibrator = kernel / "leds" / LAMP, kernel / "leds" / VIBRATOR
        self._write_all(self._lamp, _LAMP_FILES)
        self._write_all(self._vibrator, _VIBRATOR_FILES)

    def show(self, readings: Readings) -> None:
        """The hardware says so now."""
        battery = {
            "type": "Battery", "scope": "System", "present": "1", "technology": "Li-ion",
            "capacity": str(readings.percent), "status": readings.status,
            "voltage_now": str(round(readings.volts * 1e6)),
            "current_now": str(round(readings.amperes * 1e6)),
            "temp": str(round(readings.skin_c * 10)),
        }  # fmt: skip
        online = "0" if readings.status == "Discharging" else "1"
        self._write_all(self._battery, battery)
        self._write_all(self._charger, {"type": "USB", "online": online})
        for zone, kind, celsius in (
            (self._zones[0], "cpu-thermal", readings.chip_c),
            (self._zones[1], "battery-thermal", readings.skin_c),
        ):
            self._write_all(zone, {"type": kind, "temp": str(round(celsius * 1000))})

    def shown(self) -> Shown:
        """Lamp and vibrator as the program set them; a pulse is told once."""
        pulse = 0
        if _number(self._vibrator / "activate") and _number(self._vibrator / "state"):
            pulse = _number(self._vibrator / "duration")
            for name in ("activate", "state"):
                self._written.pop(self._vibrator / name, None)
            self._write_all(self._vibrator, {"activate": "0", "state": "0"})
        if _trigger(self._lamp) == "timer":
            return Shown(_number(self._lamp / "delay_on"), _number(self._lamp / "delay_off"), pulse)
        lit = _number(self._lamp / "brightness") > 0
        return Shown(int(lit), int(not lit), pulse)

    def _write_all(self, folder: Path, files: dict[str, str]) -> None:
        """Those that say something new."""
        new = {folder / name: text for name, text in files.items()}
        new = {file: text for file, text in new.items() if self._written.get(file) != text}
        try:
            if new:
                folder.mkdir(parents=True, exist_ok=True)
            for file, text in new.items():
                _replace(file, f"{text}\n")
                self._written[file] = text
        except OSError as error:
            raise SimError(f"{folder}: cannot be written ({error.strerror})", Exit.DISK) from None


def _replace(file: Path, text: str) -> None:
    """At once: whoever reads sees the old value or the new one, as in the kernel."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".new")
    with os.fdopen(handle, "w") as stream:
        stream.write(text)
    made = Path(name)
    made.chmod(0o644)
    made.replace(file)


def _number(file: Path) -> int:
    """What the program wrote; 0 while it writes."""
    try:
        return max(0, int(file.read_text("ascii")))
    except (OSError, ValueError):
        return 0


def _trigger(led: Path) -> str:
    """The word in brackets, or the bare word that the program wrote over them."""
    try:
        text = (led / "trigger").read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
    found = re.search(r"\[(\w+)\]", text)
    return found.group(1) if found else text
