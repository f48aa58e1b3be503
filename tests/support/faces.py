"""Detections of faces that a test describes by centre and size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from agent.values import Boxes, FaceDetections, FaceQuality, Landmarks, Monotonic, Track, TrackState
from agent.vision.alignment import CROP, TEMPLATE

Face = tuple[float, float, float]
"""Centre x, centre y, side; pixels."""


def boxes_of(faces: Sequence[Face]) -> Boxes:
    rows = [(x - s / 2, y - s / 2, x + s / 2, y + s / 2) for x, y, s in faces]
    return np.array(rows, np.float32).reshape(-1, 4)


def landmarks_of(boxes: Boxes) -> Landmarks:
    """Landmarks such that the aligned crop is exactly the box."""
    sides = (boxes[:, 2:] - boxes[:, :2])[:, None, :]
    return (boxes[:, None, :2] + sides * TEMPLATE / CROP).astype(np.float32)


def detections(faces: Sequence[Face], scores: Iterable[float] | None = None) -> FaceDetections:
    boxes = boxes_of(faces)
    given = [0.9] * len(faces) if scores is None else list(scores)
    return FaceDetections(boxes, landmarks_of(boxes), np.array(given, np.float32))


def a_track(
    track_id: int = 1,
    state: TrackState = TrackState.CONFIRMED,
    *,
    first: float = 0.0,
    last: float = 1.0,
) -> Track:
    box = boxes_of([(50, 50, 40)])
    return Track(
        id=track_id,
        state=state,
        box=box[0],
        landmarks=landmarks_of(box)[0],
        velocity=np.zeros(4, np.float32),
        score=0.9,
        first_seen=Monotonic(first),
        last_seen=Monotonic(last),
        hits=5,
    )


def quality(score: float = 0.8, width_px: float = 60.0) -> FaceQuality:
    return FaceQuality(score, width_px, 100.0, 0.0, 0.0, 0.0, 120.0, 50.0, 0.9)


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float32)
    return (vector / np.linalg.norm(vector)).astype(np.float32)
