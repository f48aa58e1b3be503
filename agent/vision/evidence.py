"""The picture that goes with an alert: the matched face alone.

Nobody else is in it: every other face is painted over before anything is scaled or compressed, so
that not one of its pixels has any part in the file. JPEG without metadata, bounded in size.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from agent.values import F32, U8, BgrImage, Boxes

MAX_BYTES: Final = 40_000
"""Of the file: in base64, sealed, and in base64 again it must fit into a message of 100 kB."""
MARGIN: Final = 0.35
"""Of the face's own width and height, on each side: hair and chin help whoever compares."""
GROWN: Final = 0.2
"""Other faces are painted over with so much of their width and height around them: a detector's
box leaves out hair, ears and chin."""
PAINT: Final = 128
_SIDE: Final = 480
"""Longest side of the picture, pixels."""
_QUALITIES: Final = (90, 80, 70, 60, 50)
_SMALLER: Final = 0.75


def face_evidence(image: BgrImage, box: F32, others: Boxes) -> U8 | None:
    """A JPEG of one face.

    Args:
        image: (height, width, 3) uint8, left as it is.
        box: (4,) of the matched face, left-top-right-bottom, pixels.
        others: (n, 4) of everybody else, and of the same face twice if need be: where another box
            lies over the matched face's own box, that stays as it is.

    Returns:
        (n,) uint8, the bytes of the file, at most `MAX_BYTES`; None when the box is no box or
        lies outside the picture. To be wiped by the caller.
    """
    if not np.isfinite(box).all():
        return None
    area, face = _within(image, _grown(box, MARGIN)), _within(image, box)
    if min(area[2] - area[0], area[3] - area[1], face[2] - face[0], face[3] - face[1]) < 1:
        return None
    crop = _alone(image, area, face, others)
    try:
        return _bounded_jpeg(crop)
    finally:
        crop.fill(0)


def _alone(
    image: BgrImage,
    area: tuple[int, int, int, int],
    face: tuple[int, int, int, int],
    others: Boxes,
) -> BgrImage:
    """A copy of the area with everybody else painted over."""
    left, top, right, bottom = area
    crop: BgrImage = image[top:bottom, left:right].copy()
    for other in others:
        if not np.isfinite(other).all():
            continue
        x0, y0, x1, y1 = _within(image, _grown(other, GROWN))
        if x1 > x0 and y1 > y0:
            crop[max(y0 - top, 0) : max(y1 - top, 0), max(x0 - left, 0) : max(x1 - left, 0)] = PAINT
    x0, y0, x1, y1 = face
    crop[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    return crop


def _grown(box: F32, share: float) -> F32:
    """At least two pixels on each side."""
    left, top, right, bottom = (float(edge) for edge in box)
    x, y = max(share * (right - left), 2.0), max(share * (bottom - top), 2.0)
    return np.array([left - x, top - y, right + x, bottom + y], np.float32)


def _within(image: BgrImage, box: F32) -> tuple[int, int, int, int]:
    """Whole pixels of the picture that the box touches."""
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(box[:2]), 0, (width, height)).astype(int).tolist()
    right, bottom = np.clip(np.ceil(box[2:]), 0, (width, height)).astype(int).tolist()
    return left, top, right, bottom


def _bounded_jpeg(crop: BgrImage) -> U8 | None:
    """Quality gives way first, then size."""
    scale = min(1.0, _SIDE / max(crop.shape[:2]))
    while True:
        height, width = (max(1, round(side * scale)) for side in crop.shape[:2])
        small = cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA)
        try:
            for quality in _QUALITIES:
                done, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
                if not done:
                    return None
                if data.size <= MAX_BYTES:
                    return np.asarray(data, np.uint8).reshape(-1)
                data.fill(0)
        finally:
            small.fill(0)
        scale *= _SMALLER
