"""What comes of it, for whoever plays the camera's interfaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Button = Literal["record", "arm", "mark", "privacy"]


@dataclass(frozen=True, slots=True)
class Booted:
    """The program may run from here on."""


@dataclass(frozen=True, slots=True)
class LostPower:
    """It is off at once. `brown_out`: the battery gave too little."""

    brown_out: bool


@dataclass(frozen=True, slots=True)
class Restarted:
    """The firmware starts again, everything that ran is gone. `watchdog`: since it hung."""

    watchdog: bool


@dataclass(frozen=True, slots=True)
class Throttling:
    """The processor is slowed, or free again."""

    on: bool


@dataclass(frozen=True, slots=True)
class StorageFull:
    """Recording stopped."""


@dataclass(frozen=True, slots=True)
class ClockJumped:
    """The clock was set. `by_s`: forwards, below 0 backwards."""

    by_s: float


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button that the program has to hear of."""

    button: Button


Effect: TypeAlias = (
    Booted | LostPower | Restarted | Throttling | StorageFull | ClockJumped | Pressed
)
