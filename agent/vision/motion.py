"""The camera's own motion between two frames, so that a worn camera's shake is not the faces'.

Corners of a small grey picture are followed by pyramidal Lucas-Kanade flow (Bouguet 2001) and a
similarity (rotation, scale, shift) is fitted to them by RANSAC, which leaves out what moves by
itself. OpenCV seeds that RANSAC with a constant, so equal pictures give equal motions.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from agent.values import F32, U8, BgrImage, Boxes

F64 = npt.NDArray[np.float64]

WIDTH_PX = 160
"""Width of the small picture. Shifts down to about 1/10 of its pixels are seen."""
_CORNERS = 40
_MIN_CORNERS = 8
_MIN_INLIERS = 0.4
_MIN_SPREAD = 0.1
"""Corners must lie apart by this share of the width (standard deviation): what all lies in one
spot may be a thing that moves, and says little about the rest of the picture."""
_MAX_SCALE = 1.3
_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 5, 0.03)


@dataclass(frozen=True, slots=True, eq=False)
class Thumbnail:
    """A small grey picture of a frame.

    Attributes:
        grey: (h, w) uint8.
        scale: (x, y) pixels of the frame to one of the thumbnail.
        size: (width, height) of the frame, pixels.
    """

    grey: U8
    scale: tuple[float, float]
    size: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Where the still world went between two frames: `new = matrix @ (x, y, 1)`.

    Attributes:
        matrix: (2, 3) float64, pixels of the earlier frame to pixels of the later.
    """

    matrix: F64

    def __post_init__(self) -> None:
        if self.matrix.shape != (2, 3):
            raise ValueError(f"motion: expected shape (2, 3), got {self.matrix.shape}")

    @property
    def linear(self) -> F64:
        """(2, 2): the part that turns and scales; moves velocities."""
        return self.matrix[:, :2]

    @property
    def scale(self) -> float:
        """Growth of lengths, the square root of the growth of areas."""
        return float(np.sqrt(abs(np.linalg.det(self.linear))))

    @staticmethod
    def identity() -> Motion:
        return Motion(np.eye(2, 3))


def shrink(image: BgrImage) -> Thumbnail:
    """A grey thumbnail at most `WIDTH_PX` wide of a (h, w, 3) uint8 BGR frame."""
    height, width = image.shape[:2]
    small_w = min(WIDTH_PX, width)
    small_h = max(1, round(height * small_w / width))
    small = cv2.resize(image, (small_w, small_h), interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    small.fill(0)
    return Thumbnail(grey, (width / small_w, height / small_h), (width, height))


def estimate(previous: Thumbnail, current: Thumbnail, people: Boxes | None = None) -> Motion:
    """The camera's motion from `previous` to `current`, in pixels of the full frame.

    The identity where nothing can be said: other sizes, a blank picture, too few corners or all
    in one spot, no majority of corners that moves alike, a jump in scale that no camera makes.

    Args:
        previous: the earlier picture.
        current: the later one.
        people: (n, 4) face boxes in the earlier frame, left-top-right-bottom in its pixels;
            faces and the bodies under them move by themselves and are left out.
    """
    if previous.size != current.size:
        return Motion.identity()
    mask = None if people is None or not len(people) else _background(previous, people)
    corners = cv2.goodFeaturesToTrack(previous.grey, _CORNERS, 0.02, 7, mask=mask, blockSize=3)
    if corners is None or len(corners) < _MIN_CORNERS:
        return Motion.identity()
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        previous.grey, current.grey, corners, None, winSize=(9, 9), maxLevel=3, criteria=_STOP
    )
    kept = found.ravel() == 1
    before, after = corners[kept].reshape(-1, 2), moved[kept].reshape(-1, 2)
    if len(before) < _MIN_CORNERS or before.std(axis=0).max() < _MIN_SPREAD * WIDTH_PX:
        return Motion.identity()
    scale = np.asarray(current.scale, np.float32)
    return _fit(before * scale, after * scale, scale)


def _background(picture: Thumbnail, people: Boxes) -> U8:
    """255 where no face or body is: a body is two faces wider and four faces longer."""
    mask = np.full(picture.grey.shape, 255, np.uint8)
    wide = people[:, 2] - people[:, 0]
    body = people + np.stack([-wide, -wide / 2, wide, 4 * wide], axis=1)
    area = np.maximum(body / np.tile(np.asarray(picture.scale, np.float32), 2), 0).astype(int)
    for left, top, right, bottom in area.tolist():
        mask[top : bottom + 1, left : right + 1] = 0
    return mask


def _fit(before: F32, after: F32, scale: F32) -> Motion:
    matrix, inliers = cv2.estimateAffinePartial2D(
        before,
        after,
        method=cv2.RANSAC,
        ransacReprojThreshold=float(scale.max()),
        maxIters=100,
        confidence=0.99,
        refineIters=3,
    )
    if matrix is None or np.mean(inliers) < _MIN_INLIERS:
        return Motion.identity()
    motion = Motion(np.asarray(matrix, np.float64))
    return motion if 1 / _MAX_SCALE < motion.scale < _MAX_SCALE else Motion.identity()


def warp_points(points: npt.NDArray[np.floating], motion: Motion) -> F64:
    """(..., 2) points of the earlier frame, in the later one."""
    return np.asarray(points @ motion.linear.T + motion.matrix[:, 2], np.float64)


def warp_boxes(boxes: npt.NDArray[np.floating], motion: Motion) -> F64:
    """(n, 4) left-top-right-bottom boxes moved and scaled; they stay upright."""
    centre = warp_points((boxes[:, :2] + boxes[:, 2:]) / 2, motion)
    half = (boxes[:, 2:] - boxes[:, :2]) / 2 * motion.scale
    return np.concatenate([centre - half, centre + half], axis=1)
