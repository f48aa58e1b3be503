"""Faces: found, cropped, measured, embedded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agent.values.arrays import F32, U8, Boxes, Landmarks
from agent.values.times import Monotonic

_UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class FaceDetections:
    """Faces found in one frame, as a struct of arrays, best score first.

    Attributes:
        boxes: (n, 4) float32, left-top-right-bottom, pixels of the full frame.
        landmarks: (n, 5, 2) float32, pixels of the full frame.
        scores: (n,) float32 in [0, 1].

    Raises:
        ValueError: shapes do not agree.
    """

    boxes: Boxes
    landmarks: Landmarks
    scores: F32

    def __post_init__(self) -> None:
        n = len(self.scores)
        for name, array, expected in (
            ("boxes", self.boxes, (n, 4)),
            ("landmarks", self.landmarks, (n, 5, 2)),
            ("scores", self.scores, (n,)),
        ):
            if array.shape != expected:
                raise ValueError(f"{name}: expected shape {expected}, got {array.shape}")

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, index: np.ndarray | list[int]) -> FaceDetections:
        """The detections at `index` (integers or a boolean mask), in that order."""
        rows = np.asarray(index, dtype=bool if len(self) and _is_mask(index) else np.intp)
        return FaceDetections(self.boxes[rows], self.landmarks[rows], self.scores[rows])

    @staticmethod
    def empty() -> FaceDetections:
        return FaceDetections(
            np.zeros((0, 4), np.float32),
            np.zeros((0, 5, 2), np.float32),
            np.zeros((0,), np.float32),
        )


def _is_mask(index: np.ndarray | list[int]) -> bool:
    return isinstance(index, np.ndarray) and index.dtype == np.bool_


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """How much a crop is worth for recognition. See `agent.vision.quality` for the formulas.

    Attributes:
        score: overall worth in [0, 1]; the weight of the shot in the track's template.
        width_px: width of the face box in pixels of the frame.
        sharpness: variance of the Laplacian over the aligned crop, grey levels squared.
        yaw: -1 (fully to its right) .. 0 (frontal) .. 1, from the landmarks.
        pitch: -1 (down) .. 0 .. 1 (up), from the landmarks.
        roll_deg: in-plane rotation of the eye line, degrees.
        brightness: mean grey level, 0..255.
        contrast: standard deviation of the grey level.
        detector_score: in [0, 1].
    """

    score: float
    width_px: float
    sharpness: float
    yaw: float
    pitch: float
    roll_deg: float
    brightness: float
    contrast: float
    detector_score: float


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FaceCrop:
    """An aligned face, ready for the embedder.

    Attributes:
        image: (112, 112, 3) uint8 BGR.
        quality: its measures.
        at: monotonic seconds at which the frame was taken.
    """

    image: U8
    quality: FaceQuality
    at: Monotonic

    def __repr__(self) -> str:
        return f"FaceCrop(quality={self.quality.score:.2f})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Embedding:
    """A face template: (dim,) float32 of unit length. Its repr never shows numbers."""

    vector: F32

    def __post_init__(self) -> None:
        if self.vector.ndim != 1:
            raise ValueError(f"embedding: expected shape (dim,), got {self.vector.shape}")
        norm = float(np.linalg.norm(self.vector))
        if not abs(norm - 1.0) < _UNIT_TOLERANCE:
            raise ValueError(f"embedding: expected unit length, got {norm:.4f}")

    def __repr__(self) -> str:
        return f"Embedding(dim={self.vector.shape[0]})"
