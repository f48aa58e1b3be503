"""The ground-truth text of WIDER FACE.

For each picture: its path on one line, the number of faces on the next, then one line to a face:
`x y w h blur expression illumination invalid occlusion pose`, pixels and class numbers. After a
count of 0 the official files have one line of zeros, which is skipped when there.
Source: S. Yang et al., "WIDER FACE: A Face Detection Benchmark", CVPR 2016.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from agent.errors import DataError
from agent.values import Boxes

FIELDS = 10
INVALID_FIELD = 7

_Line: TypeAlias = tuple[int, str]


@dataclass(frozen=True, slots=True, eq=False)
class TrueFaces:
    """The faces of one picture.

    Attributes:
        path: of the picture, as the file gives it.
        boxes: (n, 4) float32 left, top, right, bottom, pixels. A face of no width or height stays
            in: it cannot be found.
        invalid: (n,) bool: marked as neither to be found nor to be called false.
    """

    path: str
    boxes: Boxes
    invalid: npt.NDArray[np.bool_]


def parse_wider(text: str, origin: str = "truth") -> list[TrueFaces]:
    """Read the file.

    Args:
        text: the file.
        origin: its name, for messages.

    Raises:
        DataError: what is wrong and on which line. Reading stops there, since what follows a
            wrong count cannot be told apart.
    """
    lines = [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise DataError(f"{origin}: empty; expected the path of a picture on the first line")
    pictures: list[TrueFaces] = []
    seen: dict[str, int] = {}
    at = 0
    while at < len(lines):
        number, path = lines[at]
        _check_path(path, number, seen, origin)
        count = _count(lines, at + 1, path, origin)
        rows = lines[at + 2 : at + 2 + count]
        if len(rows) < count:
            raise DataError(
                f"{origin}: line {lines[-1][0]}: the file ends after {len(rows)} of the {count} "
                f"faces of {path!r}"
            )
        pictures.append(_faces(path, rows, origin))
        at += 2 + count + (count == 0 and _is_dummy(lines, at + 2))
    return pictures


def _check_path(path: str, number: int, seen: dict[str, int], origin: str) -> None:
    if _numbers(path) is not None:
        raise DataError(
            f"{origin}: line {number}: expected the path of a picture, got numbers; is the count "
            "before it right?"
        )
    if path.startswith("/") or ".." in path.split("/"):
        raise DataError(f"{origin}: line {number}: {path!r} leads out of the image folder")
    if path in seen:
        raise DataError(f"{origin}: line {number}: {path!r} was already on line {seen[path]}")
    seen[path] = number


def _count(lines: list[_Line], at: int, path: str, origin: str) -> int:
    if at >= len(lines):
        raise DataError(
            f"{origin}: line {lines[-1][0]}: the file ends before the count of {path!r}"
        )
    number, line = lines[at]
    if not (line.isascii() and line.isdigit() and len(line) <= FIELDS):
        raise DataError(
            f"{origin}: line {number}: expected the number of faces of {path!r}, got {line[:60]!r}"
        )
    return int(line)


def _faces(path: str, rows: list[_Line], origin: str) -> TrueFaces:
    table = np.array([_face(row, origin) for row in rows], np.float64).reshape(-1, FIELDS)
    boxes = table[:, :4].copy()
    boxes[:, 2:] += boxes[:, :2]
    return TrueFaces(path, boxes.astype(np.float32), table[:, INVALID_FIELD] != 0)


def _face(row: _Line, origin: str) -> list[float]:
    number, line = row
    values = _numbers(line)
    if values is None or len(values) != FIELDS:
        raise DataError(
            f"{origin}: line {number}: expected {FIELDS} numbers (x y w h blur expression "
            f"illumination invalid occlusion pose), got {line[:60]!r}"
        )
    if values[2] < 0 or values[3] < 0:
        raise DataError(f"{origin}: line {number}: width and height cannot be below 0")
    return values


def _numbers(line: str) -> list[float] | None:
    """The finite numbers on a line; None when it holds anything else."""
    try:
        values = [float(field) for field in line.split()]
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) else None


def _is_dummy(lines: list[_Line], at: int) -> bool:
    """Whether the line of zeros is there that official files have after a count of 0."""
    values = _numbers(lines[at][1]) if at < len(lines) else None
    return values is not None and len(values) == FIELDS
