"""A wide lens: metres before the camera to pixels, with barrel distortion."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from firmware_sim.scene.sprite import F64

NEAREST_M = 0.25
_NEWTON_STEPS = 6


@dataclass(frozen=True, slots=True)
class Lens:
    """Pinhole, then radial distortion.

    A point at (x, y, z) of the camera (right, down, ahead, metres) has the ideal radius
    r = hypot(x, y) / z. In the picture it has the radius d with r = d * (1 + bend * d * d), in
    focal lengths: edges are drawn together, as wide lenses do.

    Attributes:
        width, height: of the picture, pixels.
        hfov_deg: horizontal field of view, degrees.
        bend: 0 for none; 0.05 to 0.15 are usual.
    """

    width: int
    height: int
    hfov_deg: float
    bend: float

    @property
    def focal_px(self) -> float:
        """Pixels per metre at one metre, in the middle of the picture."""
        edge = _bent(math.tan(math.radians(self.hfov_deg) / 2), self.bend)
        return self.width / 2 / edge

    def project(self, points: F64) -> F64:
        """(n, 3) camera metres to (n, 2) pixels; points behind it give nan."""
        depth = np.where(points[:, 2] > NEAREST_M, points[:, 2], np.nan)
        ideal = points[:, :2] / depth[:, None]
        far = np.hypot(ideal[:, 0], ideal[:, 1])
        near = far.copy()
        for _ in range(_NEWTON_STEPS):
            off = near * (1 + self.bend * near**2) - far
            near = near - off / (1 + 3 * self.bend * near**2)
        ratio = np.where(far > 0, near / np.maximum(far, 1e-12), 1.0)
        middle = (self.width / 2, self.height / 2)
        return np.asarray(ideal * ratio[:, None] * self.focal_px + middle, np.float64)

    def ideal(self, pixels: F64) -> F64:
        """(…, 2) pixels to (…, 2) ideal coordinates: x / z and y / z."""
        bent = (pixels - (self.width / 2, self.height / 2)) / self.focal_px
        square = (bent**2).sum(axis=-1, keepdims=True)
        return np.asarray(bent * (1 + self.bend * square), np.float64)


def _bent(far: float, bend: float) -> float:
    near = far
    for _ in range(50):
        near -= (near * (1 + bend * near**2) - far) / (1 + 3 * bend * near**2)
    return near
