"""What can happen to the camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from firmware_sim.device.effects import Button


@dataclass(frozen=True, slots=True)
class Advance:
    """Time passes."""


@dataclass(frozen=True, slots=True)
class PowerOn:
    """Somebody switches it on."""


@dataclass(frozen=True, slots=True)
class PowerOff:
    """Somebody switches it off."""


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the processor is from now on. `cpu`: 0..1."""

    cpu: float


@dataclass(frozen=True, slots=True)
class Charge:
    """The battery is another one. `percent`: its charge, 0..100."""

    percent: float


@dataclass(frozen=True, slots=True)
class Plug:
    """A charger of so many watts; 0: none."""

    watts: float


@dataclass(frozen=True, slots=True)
class Ambient:
    """The air around it, degrees Celsius."""

    celsius: float


@dataclass(frozen=True, slots=True)
class Heated:
    """The processor is this warm now, degrees Celsius; it goes on from there."""

    celsius: float


@dataclass(frozen=True, slots=True)
class Fill:
    """So many megabytes more on the card; below 0: fewer."""

    mb: float


@dataclass(frozen=True, slots=True)
class Press:
    """Somebody presses a button."""

    button: Button


@dataclass(frozen=True, slots=True)
class Stall:
    """The camera gives no picture for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """The firmware hangs: nothing but the watchdog helps."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The firmware starts again."""


@dataclass(frozen=True, slots=True)
class TimeFix:
    """GPS or a time server tells the time, seconds since 1970."""

    wall: float


@dataclass(frozen=True, slots=True)
class ShiftClock:
    """Somebody sets the clock: so many seconds forwards, below 0 backwards."""

    by_s: float


@dataclass(frozen=True, slots=True)
class Lamp:
    """The program lights the lamp: milliseconds on and off; off 0: steady, on 0: dark."""

    on_ms: int
    off_ms: int


@dataclass(frozen=True, slots=True)
class Pulse:
    """The program lets it vibrate once, milliseconds."""

    ms: int


Command: TypeAlias = (
    Advance | PowerOn | PowerOff | Load | Charge | Plug | Ambient | Heated | Fill | Press | Stall
    | Hang | Reset | TimeFix | ShiftClock | Lamp | Pulse
)  # fmt: skip
