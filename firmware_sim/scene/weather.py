"""What is on and before the lens: rain, drops, and flare of a light in view."""

from __future__ import annotations

import math

import cv2
import numpy as np

from firmware_sim.scene.sprite import U8, smeared

_DROPS_PER_RAIN = 16
_GLOW_PX = 256


class Rain:
    """Streaks in the air and drops on the lens.

    Args:
        amount: 0 (dry) to 1.
        size: width, height of the picture.
        seed: where drops are.
    """

    def __init__(self, amount: float, size: tuple[int, int], seed: int) -> None:
        self._amount, self._size, self._seed = amount, size, seed
        rng = np.random.default_rng((seed, 31))
        self._streaks = _streaks(amount, size, rng)
        drops = round(_DROPS_PER_RAIN * amount)
        small = size[1] / 720
        self._drops = [
            (rng.uniform(0, size[0]), rng.uniform(0, size[1]), rng.uniform(9, 34) * small)
            for _ in range(drops)
        ]

    def fall(self, image: U8, number: int, at_s: float) -> None:
        """Onto this frame, in place."""
        rng = np.random.default_rng((self._seed, 32, number))
        height, width = image.shape[:2]
        dx, dy = rng.integers(0, 200, 2)
        layer = self._streaks[dy : dy + height, dx : dx + width]
        cv2.add(image, layer, dst=image)
        for index, (x, y, radius) in enumerate(self._drops):
            slid = (y + at_s * (6 + 9 * (index % 3))) % height
            _drop(image, round(x), round(slid), round(radius))


def _streaks(amount: float, size: tuple[int, int], rng: np.random.Generator) -> U8:
    shape = (size[1] + 200, size[0] + 200)
    dots = np.zeros(shape, np.uint8)
    count = round(2200 * amount * size[0] * size[1] / (1280 * 720))
    dots[rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)] = 255
    long = size[1] / 720 * 26
    streaks = cv2.multiply(smeared(dots, (2.0, long)), 16)
    return np.asarray(cv2.cvtColor(cv2.min(streaks, 62), cv2.COLOR_GRAY2BGR), np.uint8)


def _drop(image: U8, x: int, y: int, radius: int) -> None:
    """A drop shows what is behind it small, blurred and upside down."""
    height, width = image.shape[:2]
    left, top, right, bottom = x - radius, y - radius, x + radius, y + radius
    if left < 0 or top < 0 or right > width or bottom > height or radius < 2:  # noqa: PLR2004
        return
    area = image[top:bottom, left:right]
    turned = cv2.blur(cv2.flip(area, -1), (max(3, radius // 2 | 1),) * 2)
    rows, columns = np.mgrid[-1 : 1 : area.shape[0] * 1j, -1 : 1 : area.shape[1] * 1j]
    share = np.clip((1 - np.hypot(rows, columns)) * 2.2, 0, 0.85)[:, :, None]
    area[:] = (area * (1 - share) + turned * share).astype(np.uint8)


class Flare:
    """A bright light, low before the wearer.

    Args:
        azimuth_deg, elevation_deg: where it is, to the right of the street's end and above it.
        strength: 0..1.
        size: width, height of the picture.
    """

    def __init__(
        self, azimuth_deg: float, elevation_deg: float, strength: float, size: tuple[int, int]
    ) -> None:
        azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
        self.direction = np.array(
            [
                math.sin(azimuth) * math.cos(elevation),
                math.sin(elevation),
                math.cos(azimuth) * math.cos(elevation),
            ]
        )
        self._strength, self._size = strength, size
        rows, columns = np.mgrid[-1 : 1 : _GLOW_PX * 1j, -1 : 1 : _GLOW_PX * 1j]
        far = np.hypot(rows, columns)
        glow = np.clip(1 - far, 0, 1) ** 2.5 * 0.75 + np.clip(1 - far * 5, 0, 1)
        self._glow = (255 * np.clip(glow, 0, 1)[:, :, None] * (0.86, 0.95, 1.0)).astype(np.uint8)
        ring = np.clip(1 - np.abs(far - 0.8) * 6, 0, 1) * 0.10 + (far < 0.8) * 0.05  # noqa: PLR2004
        self._ghost = (255 * ring[:, :, None] * (1.0, 0.8, 0.6)).astype(np.uint8)

    def shine(self, image: U8, spot: tuple[float, float]) -> None:
        """Over this frame, in place; `spot` is where the light is, pixels."""
        width, height = self._size
        off = math.hypot(spot[0] - width / 2, spot[1] - height / 2) / width
        if not math.isfinite(off) or off > 1.0:
            return
        veil = round(46 * self._strength * max(0.0, 1 - off))
        cv2.add(image, (veil, veil, veil, 0), dst=image)
        self._add(image, self._glow, spot, 0.9 * height * self._strength)
        for share, side in ((-0.35, 0.12), (-0.8, 0.2), (0.45, 0.08), (-1.25, 0.3)):
            x = width / 2 + (spot[0] - width / 2) * share
            y = height / 2 + (spot[1] - height / 2) * share
            self._add(image, self._ghost, (x, y), side * height)

    def _add(self, image: U8, light: U8, spot: tuple[float, float], side: float) -> None:
        half = max(2, round(side / 2))
        left, top = round(spot[0]) - half, round(spot[1]) - half
        x1, y1 = max(0, left), max(0, top)
        x2, y2 = min(self._size[0], left + 2 * half), min(self._size[1], top + 2 * half)
        if x1 >= x2 or y1 >= y2:
            return
        grown = cv2.resize(light, (2 * half, 2 * half), interpolation=cv2.INTER_LINEAR)
        area = image[y1:y2, x1:x2]
        cv2.add(area, grown[y1 - top : y2 - top, x1 - left : x2 - left], dst=area)
