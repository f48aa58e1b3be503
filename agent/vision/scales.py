"""At which sizes, and in which pieces, a frame is searched for faces.

The detector finds faces of about 10 to 400 pixels of *its* input. So a frame is shrunk as far as
the smallest face wanted allows. It is searched once more, much smaller, when it has room for faces
larger than the detector knows or than a tile holds; that pass gives only those. What is still too
large for one piece is cut into tiles that overlap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SMALLEST = 16.0
"""A face must be this wide in the detector's input to be found reliably, pixels. At two thirds of
the size, too, landmarks of larger faces are steadier: LFW verification is best there."""
LARGEST = 400.0
"""And this wide at most for a good box; up to twice that it is found with a worse one, pixels."""
COARSER = 3.0
"""How much smaller the next pass is."""
TILE = 1920
"""Longest side of one input, pixels: bounds memory at about 0.4 GB."""
OVERLAP = 416
"""Of neighbouring tiles: more than the largest face, so that no face is only ever cut."""


@dataclass(frozen=True, slots=True)
class Window:
    """One input of the detector.

    Attributes:
        scale: size of the shrunk frame over that of the frame.
        least: narrower faces found here belong to a finer pass, pixels of the shrunk frame.
        width, height: of the shrunk frame, pixels.
        left, top, right, bottom: the part of the shrunk frame to look at, pixels.
    """

    scale: float
    least: float
    width: int
    height: int
    left: int
    top: int
    right: int
    bottom: int


def windows(width: int, height: int, min_face_px: float) -> list[Window]:
    """What to look at to find every face of at least `min_face_px` in a frame.

    Args:
        width: of the frame, pixels.
        height: of the frame, pixels.
        min_face_px: width of the smallest face wanted, pixels of the frame.
    """
    scale = min(1.0, SMALLEST / min_face_px)
    found = _at_scale(width, height, scale, 0.0)
    while min(width, height) * scale > 2 * LARGEST or max(width, height) * scale > TILE:
        scale /= COARSER
        found += _at_scale(width, height, scale, 0.75 * LARGEST / COARSER)
    return found


def _at_scale(width: int, height: int, scale: float, least: float) -> list[Window]:
    columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
    return [
        Window(scale, least, columns, rows, left, top, right, bottom)
        for top, bottom in _cuts(rows)
        for left, right in _cuts(columns)
    ]


def _cuts(length: int) -> list[tuple[int, int]]:
    """Begin and end of overlapping pieces of at most TILE that cover `length`."""
    if length <= TILE:
        return [(0, length)]
    pieces = math.ceil((length - OVERLAP) / (TILE - OVERLAP))
    step = (length - TILE) / (pieces - 1)
    return [(round(i * step), round(i * step) + TILE) for i in range(pieces)]
