"""Where the people of a scene are at a time, and which way they look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from firmware_sim.scene.body import PHASES, STANDING
from firmware_sim.scene.wearer import Pose

_STEP_M = 0.72
_STILL_M_S = 0.15
_NOD_DEG = 9.0


@dataclass(frozen=True, slots=True)
class Extra:
    """Somebody in the scene.

    Attributes:
        name: of this appearance in the truth: `p01`, or `crowd-7`.
        who: of the cast.
        entry: on the list; "" for everybody else.
        path: (seconds, x, z) points, straight between them; metres, z ahead of the beginning.
            He is there from the first to the last.
        look: `camera`, `ahead`, or (seconds, degrees) points: away from the camera, to the right.
        height_m: of the person.
        stand_m: above the street, as on a step.
        outfit: any number.
        phase: 0..1, so that not all step and look about alike.
    """

    name: str
    who: str
    entry: str
    path: tuple[tuple[float, float, float], ...]
    look: str | tuple[tuple[float, float], ...]
    height_m: float
    stand_m: float
    outfit: int
    phase: float


@dataclass(frozen=True, slots=True)
class Standing:
    """An extra at a moment.

    Attributes:
        x, z: metres in the street.
        bob_m: height gained by the step.
        yaw_deg: the face is turned away from the camera by this, -180..180.
        step: phase of the body, as `body` wants it.
    """

    x: float
    z: float
    bob_m: float
    yaw_deg: float
    step: int


def standing(extra: Extra, at_s: float, pose: Pose) -> Standing | None:
    """Where an extra is; None when not in the scene."""
    if not extra.path[0][0] <= at_s <= extra.path[-1][0]:
        return None
    x, z = place(extra.path, at_s)
    later = min(at_s + 0.1, extra.path[-1][0])
    earlier = later - 0.1
    ax, az = place(extra.path, max(earlier, extra.path[0][0]))
    bx, bz = place(extra.path, later)
    speed = math.hypot(bx - ax, bz - az) / 0.1
    step = STANDING
    bob = 0.0
    if speed > _STILL_M_S:
        gone = _length(extra.path, at_s) / (2 * _STEP_M) + extra.phase
        step = 1 + int(gone % 1 * PHASES)
        bob = 0.018 * math.sin(4 * math.pi * gone)
    nod = _NOD_DEG * math.sin(2 * math.pi * (0.23 * at_s + extra.phase))
    return Standing(x, z, bob, _yaw(extra, at_s, pose, (bx - ax, bz - az), (x, z)) + nod, step)


def place(path: Sequence[tuple[float, float, float]], at_s: float) -> tuple[float, float]:
    times = [point[0] for point in path]
    return (
        float(np.interp(at_s, times, [point[1] for point in path])),
        float(np.interp(at_s, times, [point[2] for point in path])),
    )


def _yaw(
    extra: Extra, at_s: float, pose: Pose, way: tuple[float, float], here: tuple[float, float]
) -> float:
    if extra.look == "camera":
        return 0.0
    if extra.look == "ahead":
        if math.hypot(*way) < _STILL_M_S * 0.1:
            return 0.0
        heading = math.atan2(way[0], way[1])
        to_camera = math.atan2(pose.x - here[0], pose.z - here[1])
        return math.degrees(math.remainder(to_camera - heading, 2 * math.pi))
    points = [point for point in extra.look if not isinstance(point, str)]
    return float(np.interp(at_s, [p[0] for p in points], [p[1] for p in points]))


def _length(path: Sequence[tuple[float, float, float]], at_s: float) -> float:
    """Metres walked so far."""
    total = 0.0
    for (t0, x0, z0), (t1, x1, z1) in pairwise(path):
        if at_s <= t0:
            break
        share = min(1.0, (at_s - t0) / max(t1 - t0, 1e-9))
        total += share * math.hypot(x1 - x0, z1 - z0)
    return total
