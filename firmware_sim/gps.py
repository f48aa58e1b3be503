"""A receiver of positions as a pure state machine: where it is, and what it says.

The truth is a place and a speed; what is reported is the truth with an error that drifts, or with a
jump that somebody who deceives the receiver adds. Time is the satellites', never the camera's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

METRES_PER_DEGREE = 111_195.0
"""Of latitude; of longitude at the equator."""


@dataclass(frozen=True, slots=True)
class Move:
    """It is here, and goes on like this: degrees, metres per second to the north and the east."""

    lat: float
    lon: float
    north_m_s: float = 0.0
    east_m_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Sky:
    """How many satellites it uses; fewer than four are no fix. `accuracy_m`: at 95 %."""

    used: int
    accuracy_m: float = 4.0


@dataclass(frozen=True, slots=True)
class Drift:
    """The reported place wanders off at this speed, m/s; both 0: it comes back at once."""

    north_m_s: float
    east_m_s: float


@dataclass(frozen=True, slots=True)
class Spoof:
    """Somebody shifts what is reported by so many metres; both 0: no more."""

    north_m: float
    east_m: float


GpsCommand: TypeAlias = Move | Sky | Drift | Spoof
_NEEDED = 4


@dataclass(frozen=True, slots=True)
class GpsState:
    """Attributes:
    at: when this was so, seconds.
    truth: where it really is, and its speed.
    sky: what it hears.
    drift, drifted: speed of the error, and the error so far (north, east), m.
    spoof: added by somebody else.
    """

    at: float
    truth: Move = Move(47.6062, -122.3321)
    sky: Sky = Sky(9)
    drift: Drift = Drift(0, 0)
    drifted: tuple[float, float] = (0.0, 0.0)
    spoof: Spoof = Spoof(0, 0)


@dataclass(frozen=True, slots=True)
class GpsReport:
    """What it says at one moment.

    Attributes:
        wall: of the satellites, seconds since 1970.
        place: (latitude, longitude) in degrees; None: no fix.
        accuracy_m: at 95 %.
        speed_m_s, track_deg: over ground, from the north to the right.
        used: satellites.
    """

    wall: float
    place: tuple[float, float] | None
    accuracy_m: float
    speed_m_s: float
    track_deg: float
    used: int


def step(state: GpsState, command: GpsCommand | None, *, now: float) -> GpsState:
    """The receiver at `now`, after the command; None: time passes only."""
    _check(command)
    passed = now - state.at
    if not passed >= 0:
        raise ValueError(f"time goes from {state.at} to {now}")
    truth, drift, drifted = state.truth, state.drift, state.drifted
    state = replace(
        state,
        at=now,
        truth=_shifted(truth, truth.north_m_s * passed, truth.east_m_s * passed),
        drifted=(drifted[0] + drift.north_m_s * passed, drifted[1] + drift.east_m_s * passed),
    )
    if isinstance(command, Move):
        return replace(state, truth=command)
    if isinstance(command, Sky):
        return replace(state, sky=command)
    if isinstance(command, Drift):
        still = not (command.north_m_s or command.east_m_s)
        return replace(state, drift=command, drifted=(0.0, 0.0) if still else state.drifted)
    if isinstance(command, Spoof):
        return replace(state, spoof=command)
    return state


def _check(command: GpsCommand | None) -> None:
    """Figures within reach of anybody; a place on this earth.

    Raises:
        ValueError: one is not.
    """
    bounds: tuple[tuple[float, float], ...] = ()
    if isinstance(command, Move):
        speed = (command.north_m_s, 10_000.0), (command.east_m_s, 10_000.0)
        bounds = ((command.lat, 90.0), (command.lon, 180.0), *speed)
    elif isinstance(command, Sky):
        bounds = ((command.used, 100), (command.accuracy_m, 100_000.0))
    elif isinstance(command, Drift):
        bounds = ((command.north_m_s, 10_000.0), (command.east_m_s, 10_000.0))
    elif isinstance(command, Spoof):
        bounds = ((command.north_m, 1e7), (command.east_m, 1e7))
    for value, bound in bounds:
        if not abs(value) <= bound:  # not a number is not
            raise ValueError(f"{value} is beyond {bound:g}")


def report(state: GpsState, *, wall: float) -> GpsReport:
    """What the receiver says; `wall`: the true time, seconds since 1970."""
    truth = state.truth
    shown = _shifted(
        truth, state.drifted[0] + state.spoof.north_m, state.drifted[1] + state.spoof.east_m
    )
    fixed = state.sky.used >= _NEEDED
    return GpsReport(
        wall=wall,
        place=(shown.lat, shown.lon) if fixed else None,
        accuracy_m=state.sky.accuracy_m,
        speed_m_s=math.hypot(truth.north_m_s, truth.east_m_s),
        track_deg=math.degrees(math.atan2(truth.east_m_s, truth.north_m_s)) % 360,
        used=state.sky.used,
    )


def _shifted(place: Move, north_m: float, east_m: float) -> Move:
    lat = max(-90.0, min(90.0, place.lat + north_m / METRES_PER_DEGREE))
    wide = METRES_PER_DEGREE * max(1e-6, math.cos(math.radians(place.lat)))
    lon = (place.lon + east_m / wide + 180) % 360 - 180
    return replace(place, lat=lat, lon=lon)
