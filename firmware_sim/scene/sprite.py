"""Flat pictures with transparency, at several sizes, drawn into a frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

U8: TypeAlias = npt.NDArray[np.uint8]
I8: TypeAlias = npt.NDArray[np.int8]
F32: TypeAlias = npt.NDArray[np.float32]
F64: TypeAlias = npt.NDArray[np.float64]

_SMALLEST = 8
_COARSE = 10.0  # pixels; longer smears are worked out at half the size
_TRANSPARENT = 16  # alpha below which nobody counts as covered


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """A cut-out.

    Attributes:
        levels: (h, w, 4) BGRA, colour already multiplied by alpha; each half the size of the last.
    """

    levels: tuple[U8, ...]

    @staticmethod
    def of(colour: U8, alpha: U8) -> Sprite:
        """From a BGR picture and its opacity, 0..255."""
        full = np.dstack([_scaled(colour, alpha), alpha])
        levels = [np.ascontiguousarray(full)]
        while min(levels[-1].shape[:2]) > 2 * _SMALLEST:
            last = levels[-1]
            half = (last.shape[1] // 2, last.shape[0] // 2)
            levels.append(
                np.asarray(cv2.resize(last, half, interpolation=cv2.INTER_AREA), np.uint8)
            )
        return Sprite(tuple(levels))

    def warped(
        self,
        affine: F64,
        size: tuple[int, int],
        *,
        light: float,
        smear: tuple[float, float],
    ) -> tuple[U8, int, int] | None:
        """The part of it that falls into a frame.

        Args:
            affine: (2, 3), from pixels of the largest level to pixels of the frame.
            size: width, height of the frame.
            light: brightness as a factor.
            smear: motion while the shutter is open, pixels.

        Returns:
            BGRA, and where its left upper corner goes; None: outside.
        """
        scale = math.sqrt(abs(affine[0, 0] * affine[1, 1] - affine[0, 1] * affine[1, 0]))
        level = min(len(self.levels) - 1, max(0, math.floor(-math.log2(max(scale, 1e-6)))))
        picture = self.levels[level]
        full = self.levels[0]
        fit = affine.copy()
        fit[:, 0] *= full.shape[1] / picture.shape[1]
        fit[:, 1] *= full.shape[0] / picture.shape[0]
        margin = math.ceil(max(abs(smear[0]), abs(smear[1])) / 2) + 1
        window = _window(fit, picture, size, margin)
        if window is None:
            return None
        left, top, width, height = window
        fit[:, 2] -= (left, top)
        warped = cv2.warpAffine(picture, fit, (width, height), flags=cv2.INTER_LINEAR)
        if abs(light - 1.0) > 0.01:  # noqa: PLR2004
            warped = cv2.multiply(warped, (light, light, light, 1.0), dtype=cv2.CV_8U)
        return np.asarray(smeared(np.asarray(warped, np.uint8), smear), np.uint8), left, top


def smeared(picture: U8, smear: tuple[float, float]) -> U8:
    """Blurred along a line, as by motion at even speed."""
    length = math.hypot(*smear)
    if length < 1.2:  # noqa: PLR2004
        return picture
    if length > _COARSE and min(picture.shape[:2]) > _COARSE:
        half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        coarse = smeared(np.asarray(half, np.uint8), (smear[0] / 2, smear[1] / 2))
        size = (picture.shape[1], picture.shape[0])
        return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    side = 2 * math.ceil(length / 2) + 1
    kernel = np.zeros((side, side), np.float32)
    middle = (side - 1) / 2
    for step in np.linspace(-0.5, 0.5, max(2, math.ceil(length * 2))):
        x, y = middle + smear[0] * step, middle + smear[1] * step
        _splat(kernel, x, y)
    kernel /= kernel.sum()
    return np.asarray(cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.uint8)


def blend(frame: U8, drawn: U8, left: int, top: int) -> None:
    """Lay a warped sprite over the frame, in place."""
    height, width = drawn.shape[:2]
    area = frame[top : top + height, left : left + width]
    alpha = drawn[:, :, 3]
    rest = cv2.cvtColor(cv2.bitwise_not(alpha), cv2.COLOR_GRAY2BGR)
    behind = cv2.multiply(area, rest, scale=1 / 255.0)
    cv2.add(behind, np.ascontiguousarray(drawn[:, :, :3]), dst=area)


def own(owners: npt.NDArray[np.uint16], drawn: U8, left: int, top: int, *, number: int) -> None:
    """Note whose pixels these are, in place."""
    height, width = drawn.shape[:2]
    area = owners[top : top + height, left : left + width]
    area[drawn[:, :, 3] >= _TRANSPARENT] = number


def affine_of(source: Sequence[Sequence[float]], target: Sequence[Sequence[float]]) -> F64:
    """The (2, 3) affine map that takes three points to three others."""
    found = cv2.getAffineTransform(np.asarray(source, np.float32), np.asarray(target, np.float32))
    return np.asarray(found, np.float64)


def through(affine: F64, points: F64) -> F64:
    """(n, 2) points mapped."""
    return np.asarray(points @ affine[:, :2].T + affine[:, 2], np.float64)


def _window(
    affine: F64, picture: U8, size: tuple[int, int], margin: int
) -> tuple[int, int, int, int] | None:
    height, width = picture.shape[:2]
    corners = through(affine, np.array([[0, 0], [width, 0], [0, height], [width, height]], float))
    if not np.isfinite(corners).all():
        return None
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    left, top = max(0, math.floor(low[0])), max(0, math.floor(low[1]))
    right, bottom = min(size[0], math.ceil(high[0])), min(size[1], math.ceil(high[1]))
    if right - left < 1 or bottom - top < 1:
        return None
    return left, top, right - left, bottom - top


def _scaled(colour: U8, alpha: U8) -> U8:
    grey = cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR)
    return np.asarray(cv2.multiply(colour, grey, scale=1 / 255.0), np.uint8)


def _splat(kernel: F32, x: float, y: float) -> None:
    left, top = int(x), int(y)
    across, down = x - left, y - top
    for dx, wx in ((0, 1 - across), (1, across)):
        for dy, wy in ((0, 1 - down), (1, down)):
            if top + dy < kernel.shape[0] and left + dx < kernel.shape[1]:
                kernel[top + dy, left + dx] += wx * wy
