"""What the device's hardware tells of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatteryLevel:
    """Charge of the battery.

    Attributes:
        percent: 0..100.
        charging: whether a charger is at work; None: not told.
        volts: between its poles; None: not told.
    """

    percent: float
    charging: bool | None = None
    volts: float | None = None


@dataclass(frozen=True, slots=True)
class HardwareState:
    """Attributes:
    battery: None where there is none, or it cannot be read.
    temperature_c: of the hottest zone, degrees Celsius; None likewise.
    """

    battery: BatteryLevel | None = None
    temperature_c: float | None = None
