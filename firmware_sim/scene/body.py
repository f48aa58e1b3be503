"""Bodies below the heads: painted, clothed, walking. Nothing of them is footage."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from firmware_sim.scene.sprite import F32, U8, Sprite

PX_PER_M = 300.0
WIDTH_M, HEIGHT_M = 0.9, 1.62
"""Of the picture of a body; its upper edge is above the shoulders, its lower one is the ground."""
NECK_M = 1.50
"""Height at which the chin's point of the neck is, for a person of 1.75 m."""
STANDING, PHASES = 0, 8
_FINE = 2  # painted so much larger, for smooth edges

_CLOTHES = (
    (62, 48, 40), (40, 40, 44), (120, 96, 70), (58, 70, 120), (70, 92, 60), (150, 150, 155),
    (44, 56, 110), (96, 60, 60), (178, 170, 160), (90, 110, 140), (50, 36, 80), (120, 130, 90),
)  # fmt: skip
_TROUSERS = ((84, 62, 44), (46, 44, 44), (110, 120, 130), (60, 50, 40), (30, 28, 30))


@dataclass(frozen=True, slots=True)
class Outfit:
    """What somebody wears: colours in blue, green, red."""

    top: tuple[int, int, int]
    legs: tuple[int, int, int]
    coat: bool
    grain: int

    @staticmethod
    def number(index: int) -> Outfit:
        """Any number gives one, always the same."""
        top = _CLOTHES[index % len(_CLOTHES)]
        legs = _TROUSERS[(index // 2 + index) % len(_TROUSERS)]
        return Outfit(top, legs, coat=index % 3 == 2, grain=index % 7)  # noqa: PLR2004


@lru_cache(maxsize=512)
def body(outfit: Outfit, skin: tuple[int, int, int], phase: int) -> Sprite:
    """A body at a phase of its step: 0 stands, 1..PHASES walk."""
    scale = PX_PER_M * _FINE
    size = (round(HEIGHT_M * scale), round(WIDTH_M * scale))
    colour, alpha = np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8)
    brush = _Brush(colour, alpha, scale)
    swing = 0.0 if phase == STANDING else math.sin(2 * math.pi * (phase - 1) / PHASES)
    _legs(brush, outfit, swing)
    _arms(brush, outfit, skin, swing)
    _torso(brush, outfit, skin)
    shaded = _shade(colour, outfit)
    half = (size[1] // _FINE, size[0] // _FINE)
    return Sprite.of(
        np.asarray(cv2.resize(shaded, half, interpolation=cv2.INTER_AREA), np.uint8),
        np.asarray(cv2.resize(alpha, half, interpolation=cv2.INTER_AREA), np.uint8),
    )


class _Brush:
    """Paints in metres: x from the middle to the right, y up from the ground."""

    def __init__(self, colour: U8, alpha: U8, scale: float) -> None:
        self._colour, self._alpha, self._scale = colour, alpha, scale

    def shape(self, points: list[tuple[float, float]], colour: tuple[int, int, int]) -> None:
        pixels = np.array([self._at(x, y) for x, y in points], np.int32)
        cv2.fillPoly(self._colour, [pixels], colour)
        cv2.fillPoly(self._alpha, [pixels], 255)

    def limb(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        width: float,
        colour: tuple[int, int, int],
    ) -> None:
        thick = max(1, round(width * self._scale))
        for layer, value in ((self._colour, colour), (self._alpha, 255)):
            cv2.line(layer, self._at(*start), self._at(*end), value, thick, cv2.LINE_AA)

    def _at(self, x: float, y: float) -> tuple[int, int]:
        return (
            round((x + WIDTH_M / 2) * self._scale),
            round((HEIGHT_M - y) * self._scale),
        )


def _legs(brush: _Brush, outfit: Outfit, swing: float) -> None:
    for side in (-1, 1):
        lift = max(0.0, side * swing) * 0.10
        hip, knee = (side * 0.09, 0.86), (side * 0.10, 0.48 + lift * 0.6)
        foot = (side * 0.105, 0.07 + lift)
        shade = 0.85 if lift > 0 else 1.0
        legs = tuple(int(c * shade) for c in outfit.legs)
        brush.limb(hip, knee, 0.165, (legs[0], legs[1], legs[2]))
        brush.limb(knee, foot, 0.13, (legs[0], legs[1], legs[2]))
        brush.limb((foot[0], foot[1] - 0.02), (foot[0] + side * 0.02, foot[1] - 0.03), 0.09, _SHOE)


_SHOE = (30, 30, 34)


def _arms(brush: _Brush, outfit: Outfit, skin: tuple[int, int, int], swing: float) -> None:
    for side in (-1, 1):
        reach = -side * swing * 0.05
        shoulder, elbow = (side * 0.185, 1.36), (side * 0.245, 1.08 + reach * 0.3)
        hand = (side * 0.235, 0.83 + reach)
        sleeve = tuple(int(c * 0.82) for c in outfit.top)
        brush.limb(elbow, hand, 0.075, skin)
        brush.limb(shoulder, elbow, 0.115, (sleeve[0], sleeve[1], sleeve[2]))
        if outfit.coat:
            cuff = (hand[0], hand[1] + 0.07)
            brush.limb(elbow, cuff, 0.10, (sleeve[0], sleeve[1], sleeve[2]))


def _torso(brush: _Brush, outfit: Outfit, skin: tuple[int, int, int]) -> None:
    brush.limb((0.0, 1.42), (0.0, 1.56), 0.115, skin)
    low = 0.62 if outfit.coat else 0.82
    half = 0.21 if outfit.coat else 0.175
    brush.shape(
        [
            (-0.065, 1.485), (-0.12, 1.45), (-0.19, 1.41), (-0.225, 1.34), (-0.21, 1.20),
            (-0.17, 1.02), (-half, low), (half, low), (0.17, 1.02), (0.21, 1.20),
            (0.225, 1.34), (0.19, 1.41), (0.12, 1.45), (0.065, 1.485), (0.0, 1.44),
        ],
        outfit.top,
    )  # fmt: skip
    if outfit.coat:
        brush.limb((0.0, 1.42), (0.0, low + 0.02), 0.012, (24, 24, 26))


def _shade(colour: U8, outfit: Outfit) -> U8:
    """Round bodies are darker at their sides; cloth has a grain and folds."""
    height, width = colour.shape[:2]
    across = np.linspace(-1, 1, width, dtype=np.float32) * (WIDTH_M / 2) / 0.26
    side: F32 = np.clip(1.08 - 0.42 * np.abs(across) ** 2.2, 0.5, 1.1).astype(np.float32)
    rng = np.random.default_rng(outfit.grain)
    folds = cv2.resize(
        rng.normal(1.0, 0.10, (height // 60, width // 45)).astype(np.float32),
        (width, height),
        interpolation=cv2.INTER_CUBIC,
    )
    weave = rng.normal(1.0, 0.045, (height // 2, width // 2)).astype(np.float32)
    weave = cv2.resize(weave, (width, height), interpolation=cv2.INTER_NEAREST)
    shade = side[None, :] * folds * weave
    return np.asarray(np.clip(colour * shade[:, :, None], 0, 255), np.uint8)
