"""The camera at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from firmware_sim.device.profile import Profile

Phase = Literal["off", "booting", "running", "hung"]


@dataclass(frozen=True, slots=True)
class Power:
    """Attributes:
    charge: share of the battery, 0..1.
    volts: between its poles, under the present load.
    charger_w: of what is plugged in; 0: nothing.
    cpu: how busy the processor is meant to be, 0..1.
    """

    charge: float = 1.0
    volts: float = 4.15
    charger_w: float = 0.0
    cpu: float = 0.3


@dataclass(frozen=True, slots=True)
class Heat:
    """Degrees Celsius of the air and of the processor; whether that is slowed."""

    ambient_c: float = 22.0
    chip_c: float = 22.0
    throttled: bool = False


@dataclass(frozen=True, slots=True)
class Clock:
    """Its own clock said `wall` (seconds since 1970) at `at`. `set`: since the boot."""

    wall: float
    at: float
    set: bool = False


@dataclass(frozen=True, slots=True)
class DeviceState:
    """Everything; frozen.

    Attributes:
        now: the time up to which it was worked out, seconds.
        phase: off, booting, running, hung.
        since: when this phase began.
        stalled_until: the camera gives no picture before.
        used_mb: of the card.
        recording, privacy: switched by their buttons.
        lamp: milliseconds on and off.
        pulses: how often it vibrated.
    """

    now: float
    clock: Clock
    profile: Profile = field(default_factory=Profile)
    phase: Phase = "off"
    since: float = 0.0
    power: Power = field(default_factory=Power)
    heat: Heat = field(default_factory=Heat)
    stalled_until: float = 0.0
    used_mb: float = 0.0
    recording: bool = False
    privacy: bool = False
    lamp: tuple[int, int] = (0, 1)
    pulses: int = 0

    @property
    def video(self) -> Literal["on", "stalled", "off"]:
        """on: pictures come. stalled: the connection is there, no picture comes. off: neither."""
        if self.phase in ("off", "booting"):
            return "off"
        if self.phase == "hung" or self.privacy or self.now < self.stalled_until:
            return "stalled"
        return "on"

    @property
    def percent(self) -> int:
        """Charge as the kernel tells it."""
        return round(100 * self.power.charge)

    def wall_at(self, now: float) -> float:
        """What its own clock says at `now`, seconds since 1970."""
        passed = now - self.clock.at
        drift = 0.0 if self.clock.set else self.profile.drift_ppm * 1e-6
        return self.clock.wall + passed * (1 + drift)
