"""How a camera on somebody's chest moves: path, steps, running, bending down."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from firmware_sim.scene.sprite import F64


@dataclass(frozen=True, slots=True)
class Gait:
    """Amplitudes of a way of moving: degrees and metres, steps per second.

    Attributes:
        hz: steps per second.
        bob_m, sway_m: up and down with each step, to the sides with every second one.
        pitch_deg, roll_deg, yaw_deg: rotation with the steps.
        wander_deg: slow wandering of all three.
        stoop_deg, stoop_m: bent forwards and lowered by so much.
    """

    hz: float
    bob_m: float
    sway_m: float
    pitch_deg: float
    roll_deg: float
    yaw_deg: float
    wander_deg: float
    stoop_deg: float = 0.0
    stoop_m: float = 0.0


GAITS = {
    "stand": Gait(0.3, 0.003, 0.006, 0.25, 0.2, 0.3, 0.6),
    "walk": Gait(1.9, 0.022, 0.02, 0.9, 1.2, 1.4, 1.2),
    "run": Gait(2.8, 0.05, 0.035, 2.6, 2.8, 3.6, 2.2),
    "bend": Gait(0.5, 0.01, 0.02, 1.0, 1.5, 1.5, 1.5, stoop_deg=22.0, stoop_m=0.45),
}
_EASE_S = 0.4


@dataclass(frozen=True, slots=True)
class Leg:
    """The wearer is at a place at a time, and moves on in this way.

    Attributes:
        at_s: story seconds.
        x_m, z_m: to the right and ahead of where the story begins.
        yaw_deg: where the chest points, to the right.
        gait: a key of `GAITS`.
    """

    at_s: float
    x_m: float = 0.0
    z_m: float = 0.0
    yaw_deg: float = 0.0
    gait: str = "stand"


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the camera is and looks: metres, radians. Pitch is down, roll and yaw to the right."""

    x: float
    y: float
    z: float
    yaw: float
    pitch: float
    roll: float

    def turn(self) -> F64:
        """(3, 3): from world axes (right, down, ahead) to those of the camera."""
        sy, cy = math.sin(self.yaw), math.cos(self.yaw)
        sp, cp = math.sin(self.pitch), math.cos(self.pitch)
        sr, cr = math.sin(self.roll), math.cos(self.roll)
        yaw = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
        pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        roll = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
        return np.asarray(roll @ pitch @ yaw, np.float64)

    def see(self, points: F64) -> F64:
        """(n, 3) world points (right, up, ahead; metres) to camera axes (right, down, ahead)."""
        moved = (points - (self.x, self.y, self.z)) * (1, -1, 1)
        return np.asarray(moved @ self.turn().T, np.float64)


@dataclass(frozen=True)
class Wearer:
    """Gives the pose of the camera at any time.

    Attributes:
        legs: in order of time; at least one.
        height_m: of the camera above the ground, standing.
        seed: of the wandering.
    """

    legs: Sequence[Leg]
    height_m: float
    seed: int

    def pose(self, at_s: float) -> Pose:
        """The pose at story time `at_s`."""
        here, gait = self._leg(at_s), self._gait(at_s)
        step = 2 * math.pi * self._steps(at_s)
        wander = self._wander(at_s) * gait.wander_deg
        yaw = here.yaw_deg + gait.yaw_deg * math.sin(step / 2 + 0.4) + wander[0]
        pitch = gait.stoop_deg + gait.pitch_deg * math.sin(step + 0.9) + 0.6 * wander[1]
        roll = gait.roll_deg * math.sin(step / 2) + 0.6 * wander[2]
        return Pose(
            here.x_m + gait.sway_m * math.sin(step / 2),
            self.height_m - gait.stoop_m + gait.bob_m * math.cos(step),
            here.z_m,
            *(math.radians(v) for v in (yaw, pitch, roll)),
        )

    def _leg(self, at_s: float) -> Leg:
        times = [leg.at_s for leg in self.legs]
        x, z, yaw = (
            float(np.interp(at_s, times, [getattr(leg, field) for leg in self.legs]))
            for field in _PLACE
        )
        return Leg(at_s, x, z, yaw)

    def _gait(self, at_s: float) -> Gait:
        """Eased from the one before."""
        index = max((i for i, leg in enumerate(self.legs) if leg.at_s <= at_s), default=0)
        now = GAITS[self.legs[index].gait]
        share = min(1.0, (at_s - self.legs[index].at_s) / _EASE_S)
        if index == 0 or share >= 1.0:
            return now
        old = GAITS[self.legs[index - 1].gait]
        mixed = {f: getattr(old, f) * (1 - share) + getattr(now, f) * share for f in _AMPLITUDES}
        return replace(now, **mixed)

    def _steps(self, at_s: float) -> float:
        """Steps since the beginning."""
        ends = [*(leg.at_s for leg in self.legs[1:]), math.inf]
        spans = zip(self.legs, ends, strict=True)
        return sum(GAITS[a.gait].hz * max(0.0, min(at_s, end) - a.at_s) for a, end in spans)

    def _wander(self, at_s: float) -> F64:
        rates, phases = self._waves
        waves = np.sin(2 * math.pi * rates * at_s + phases)
        return np.asarray(waves.mean(axis=1) * 1.6, np.float64)

    @cached_property
    def _waves(self) -> tuple[F64, F64]:
        rng = np.random.default_rng((self.seed, 11))
        return rng.uniform(0.12, 0.9, (3, 4)), rng.uniform(0, 2 * math.pi, (3, 4))


_PLACE = ("x_m", "z_m", "yaw_deg")
_AMPLITUDES = (
    "bob_m", "sway_m", "pitch_deg", "roll_deg", "yaw_deg", "wander_deg", "stoop_deg", "stoop_m",
)  # fmt: skip
