"""The camera's body with its interfaces: the pure device, and what others see of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from firmware_sim import gps
from firmware_sim.buttons import ArmButton
from firmware_sim.device import (
    Advance,
    Command,
    Device,
    DeviceState,
    Effect,
    Lamp,
    PowerOn,
    Pressed,
    Profile,
    Pulse,
    TimeFix,
)
from firmware_sim.device.power import drawn_watts, status
from firmware_sim.gpsd import GpsdServer
from firmware_sim.sysfs import Readings, SysfsTree

GPS_EVERY_S: Final = 1.0
_SKIN: Final = 0.4
"""The battery is warmed by so much of what the processor is warmer than the air."""
AnyCommand: TypeAlias = Command | gps.GpsCommand


@dataclass(frozen=True, slots=True)
class BodyOptions:
    """Which interfaces there are.

    Attributes:
        sysfs: folder that looks like /sys; None: none.
        gps_host, gps_port: where gpsd listens; port 0: a free one, None: no gpsd.
        control: socket of the program, for the arm button; None: nobody hears it.
        profile: of the hardware.
        percent: charge at the start.
        place: degrees, at the start.
    """

    sysfs: Path | None = None
    gps_host: str = "127.0.0.1"
    gps_port: int | None = None
    control: Path | None = None
    profile: Profile = field(default_factory=Profile)
    percent: float = 100.0
    place: tuple[float, float] = (47.6062, -122.3321)


class Body:
    """A camera that has booted, and its interfaces. For any thread; never runs by itself.

    Args:
        options: see `BodyOptions`.
        now: seconds, on any clock that `apply` and `tick` go by too.
        wall: the true time at `now`, seconds since 1970; the satellites tell it.
        on_effect: hears what comes of things.

    Raises:
        SimError: the folder cannot be written, or the port not be taken.
    """

    def __init__(
        self,
        options: BodyOptions,
        *,
        now: float,
        wall: float,
        on_effect: Callable[[Effect], None] | None = None,
    ) -> None:
        self._lock = threading.RLock()
        self._wall_offset = wall - now
        self._on_effect = on_effect or (lambda _effect: None)
        booted_at = now - options.profile.boot_s
        self._device = Device(options.profile, now=booted_at, percent=options.percent)
        self._device.step(PowerOn(), now=booted_at)
        self._device.step(Advance(), now=now)
        self._gps = gps.GpsState(now, truth=gps.Move(*options.place))
        self._tree = None if options.sysfs is None else SysfsTree(options.sysfs)
        self._button = None if options.control is None else ArmButton(options.control)
        self._gpsd = (
            None if options.gps_port is None else GpsdServer(options.gps_host, options.gps_port)
        )
        self._gps_due = now
        self.answers: list[dict[str, Any]] = []
        self.tick(now=now)

    @property
    def state(self) -> DeviceState:
        with self._lock:
            return self._device.state

    @property
    def gps_port(self) -> int | None:
        return None if self._gpsd is None else self._gpsd.port

    def apply(self, command: AnyCommand, *, now: float) -> tuple[Effect, ...]:
        """Something happens at `now`; what came of it is on the interfaces when this returns.

        Raises:
            ValueError: a figure out of bounds, or time that goes back.
        """
        with self._lock:
            if isinstance(command, (gps.Move, gps.Sky, gps.Drift, gps.Spoof)):
                self._gps = gps.step(self._gps, command, now=now)
                self._gps_due = now
                return self.tick(now=now)
            effects = self._device.step(command, now=now)
            self._tell(effects)
            return effects + self.tick(now=now)

    def tick(self, *, now: float) -> tuple[Effect, ...]:
        """Time passes: interfaces are read and brought up to date; best a few times a second."""
        with self._lock:
            effects = self._device.step(Advance(), now=now)
            effects += self._listen(now)
            effects += self._locate(now)
            if self._tree is not None and self._device.state.phase != "off":
                self._tree.show(readings(self._device.state))
            self._tell(effects)
            return effects

    def close(self) -> None:
        if self._gpsd is not None:
            self._gpsd.close()

    def _listen(self, now: float) -> tuple[Effect, ...]:
        """What the program asked of lamp and vibrator since."""
        if self._tree is None:
            return ()
        shown = self._tree.shown()
        effects = self._device.step(Lamp(shown.on_ms, shown.off_ms), now=now)
        return effects + self._device.step(Pulse(shown.pulse_ms), now=now)

    def _locate(self, now: float) -> tuple[Effect, ...]:
        """A receiver with a view of the sky sets the clock, and tells those who watch."""
        if now < self._gps_due or self._device.state.phase != "running":
            return ()
        self._gps_due = now + GPS_EVERY_S
        self._gps = gps.step(self._gps, None, now=now)
        report = gps.report(self._gps, wall=now + self._wall_offset)
        if self._gpsd is None:
            return ()
        self._gpsd.publish(report)
        return () if report.place is None else self._device.step(TimeFix(report.wall), now=now)

    def _tell(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            self._on_effect(effect)
            if effect == Pressed("arm") and self._button is not None:
                self.answers.append(self._button.press())


def readings(state: DeviceState) -> Readings:
    """What the hardware says of itself."""
    power, heat = state.power, state.heat
    net_w = power.charger_w - drawn_watts(state)
    if power.charge >= 1 and net_w > 0:
        net_w = 0.0
    volts = max(0.1, power.volts)
    return Readings(
        percent=state.percent,
        status=status(state),
        volts=power.volts,
        amperes=net_w / volts,
        chip_c=heat.chip_c,
        skin_c=heat.ambient_c + _SKIN * (heat.chip_c - heat.ambient_c),
    )
