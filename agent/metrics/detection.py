"""Detection figures after WIDER FACE: average precision and what becomes of small faces.

Conventions:

* Overlap is intersection over union (IoU) of boxes taken as continuous rectangles, at least 0.5.
* Within a picture, detections choose in the order of falling score. Each takes the free valid
  face that it overlaps most; failing that, one that overlaps a face marked invalid is ignored
  (neither true nor false, and the invalid face stays free for others); else it is false.
* Average precision is over the whole set at once, all points: the area under precision made
  monotone from the right (PASCAL VOC 2010 and later). Equal scores keep the order of the pictures.
* By height: matching is done once, on all faces. For a bin, a detection of a face outside it is
  ignored; a false one counts in the bin of its own height.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from agent.metrics.wider import TrueFaces
from agent.values import F32, Boxes

F64: TypeAlias = npt.NDArray[np.float64]
Index: TypeAlias = npt.NDArray[np.intp]

IOU = 0.5
HEIGHT_BINS: dict[str, tuple[float, float]] = {
    "<16": (0.0, 16.0),
    "16-32": (16.0, 32.0),
    "32-64": (32.0, 64.0),
    ">=64": (64.0, float("inf")),
}
"""Bins of face height, pixels: from the first number up to, and without, the second."""

FALSE, IGNORED = -1, -2


@dataclass(frozen=True, slots=True, eq=False)
class FoundFaces:
    """What a detector found in one picture.

    Attributes:
        boxes: (n, 4) left, top, right, bottom, pixels.
        scores: (n,).
    """

    boxes: Boxes
    scores: F32


@dataclass(frozen=True, slots=True)
class DetectionFigures:
    """The figures of one evaluation; None where there was no face to find.

    Attributes:
        images: how many pictures.
        faces: how many valid faces.
        ap: average precision in [0, 1].
        ap_by_height: the same for each of `HEIGHT_BINS`.
        recall_under_16: share of valid faces lower than 16 px that were found at any score.
    """

    images: int
    faces: int
    ap: float | None
    ap_by_height: dict[str, float | None]
    recall_under_16: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """All detections of a set, best score first, and what each one met.

    Attributes:
        outcome: (n,) `FALSE`, `IGNORED`, or 0 for a valid face.
        height: (n,) of the face met, or of the detection itself; pixels.
        face_heights: (m,) of the valid faces; pixels.
    """

    outcome: Index
    height: F64
    face_heights: F64

    def ap(self, low: float = 0.0, high: float = float("inf")) -> float | None:
        """Average precision over faces whose height is in [low, high); None without such a face."""
        faces = int(((self.face_heights >= low) & (self.face_heights < high)).sum())
        counted = (self.height >= low) & (self.height < high) & (self.outcome != IGNORED)
        return average_precision(self.outcome[counted] >= 0, faces) if faces else None

    def recall(self, low: float, high: float) -> float | None:
        """Share of the faces whose height is in [low, high) that were found."""
        faces = int(((self.face_heights >= low) & (self.face_heights < high)).sum())
        met = (self.outcome >= 0) & (self.height >= low) & (self.height < high)
        return int(met.sum()) / faces if faces else None


def iou(a: Boxes, b: Boxes) -> F64:
    """Intersection over union of every pair: (n, 4), (m, 4) -> (n, m). Empty boxes overlap none."""
    first, second = a.astype(np.float64)[:, None], b.astype(np.float64)[None]
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., 2:], second[..., 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=-1)
    both = _areas(first) + _areas(second) - shared
    ratio: F64 = np.divide(shared, both, out=np.zeros_like(shared), where=shared > 0)
    return ratio


def match(found: FoundFaces, truth: TrueFaces) -> Index:
    """What each detection of one picture meets.

    Returns:
        (n,) in the order of `found`: row of the valid face taken, `FALSE` or `IGNORED`.
    """
    overlap = iou(found.boxes, truth.boxes)
    to_invalid = (overlap[:, truth.invalid] >= IOU).any(axis=1)
    overlap[:, truth.invalid] = 0.0
    outcome = np.where(to_invalid, IGNORED, FALSE).astype(np.intp)
    for row in np.argsort(-found.scores, kind="stable"):
        best = int(overlap[row].argmax()) if overlap.shape[1] else -1
        if best >= 0 and overlap[row, best] >= IOU:
            outcome[row] = best
            overlap[:, best] = 0.0
    return outcome


def average_precision(correct: npt.NDArray[np.bool_], faces: int) -> float:
    """Area under the precision-recall curve, precision made monotone from the right.

    Args:
        correct: (n,) best score first: True where a face was found, False for a false one.
        faces: how many there are to find, at least 1.
    """
    true = np.cumsum(correct)
    precision = true / np.arange(1, len(correct) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[correct].sum() / faces)


def match_all(found: list[FoundFaces], truth: list[TrueFaces]) -> Matches:
    """Match every picture, and put all detections of the set in the order of falling score."""
    outcomes: list[Index] = []
    heights: list[F64] = []
    for here, there in zip(found, truth, strict=True):
        outcome = match(here, there)
        height = _heights(here.boxes)
        met = outcome >= 0
        height[met] = _heights(there.boxes)[outcome[met]]
        outcomes.append(np.minimum(outcome, 0))
        heights.append(height)
    scores = np.concatenate([np.zeros(0), *(item.scores for item in found)])
    order = np.argsort(-scores, kind="stable")
    faces = [_heights(item.boxes)[~item.invalid] for item in truth]
    return Matches(
        np.concatenate([np.zeros(0, np.intp), *outcomes])[order],
        np.concatenate([np.zeros(0), *heights])[order],
        np.concatenate([np.zeros(0), *faces]),
    )


def evaluate_detection(found: list[FoundFaces], truth: list[TrueFaces]) -> DetectionFigures:
    """All figures of a set; `found` and `truth` run in parallel, one item to a picture."""
    matches = match_all(found, truth)
    return DetectionFigures(
        images=len(truth),
        faces=len(matches.face_heights),
        ap=matches.ap(),
        ap_by_height={name: matches.ap(*bounds) for name, bounds in HEIGHT_BINS.items()},
        recall_under_16=matches.recall(*HEIGHT_BINS["<16"]),
    )


def _areas(boxes: F64) -> F64:
    sides: F64 = np.clip(boxes[..., 2:] - boxes[..., :2], 0.0, None)
    area: F64 = sides.prod(axis=-1)
    return area


def _heights(boxes: Boxes) -> F64:
    return boxes[:, 3].astype(np.float64) - boxes[:, 1].astype(np.float64)
