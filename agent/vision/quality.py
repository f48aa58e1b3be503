"""How much a face crop is worth for recognition.

Each measure becomes a factor in [0, 1] by a ramp between a useless and a good value; the score
is their product. The ramps were set by looking at crops, not fitted to any evaluation set. What
they stand for follows ISO/IEC 29794-5 (sharpness, pose, illumination, inter-eye distance).
"""

from __future__ import annotations

import cv2
import numpy as np

from agent.values import F32, U8, FaceQuality

_FACE = (slice(24, 104), slice(20, 92))
"""Rows and columns of the aligned crop that hold the face, without hair and background."""

_FRONTAL_NOSE = 0.494
"""Height of the nose tip between eye line (0) and mouth line (1) in the frontal template."""


def measure(crop: U8, box: F32, landmarks: F32, score: float) -> FaceQuality:
    """Measure one aligned face.

    Args:
        crop: (112, 112, 3) uint8 BGR, aligned.
        box: (4,) left-top-right-bottom, pixels of the frame.
        landmarks: (5, 2) pixels of the frame.
        score: of the detector, 0..1.
    """
    face = cv2.cvtColor(crop[_FACE], cv2.COLOR_BGR2GRAY)
    sharpness = float(cv2.Laplacian(face, cv2.CV_32F).var())
    mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(face))
    yaw, pitch, roll = pose(landmarks)
    width = float(box[2] - box[0])
    factors = (
        _ramp(width, 16, 64),
        _ramp(np.log1p(sharpness), np.log1p(8), np.log1p(120)),
        1 - _ramp(abs(yaw), 0.35, 0.95),
        1 - _ramp(abs(pitch), 0.35, 0.95),
        _ramp(mean, 20, 60) * (1 - _ramp(mean, 200, 245)),
        _ramp(deviation, 6, 24),
        _ramp(score, 0.3, 0.8),
    )
    return FaceQuality(
        score=float(np.prod(factors)),
        width_px=width,
        sharpness=sharpness,
        yaw=yaw,
        pitch=pitch,
        roll_deg=roll,
        brightness=mean,
        contrast=deviation,
        detector_score=float(score),
    )


def pose(landmarks: F32) -> tuple[float, float, float]:
    """Rough head pose from five points.

    Returns:
        (yaw, pitch, roll): yaw and pitch in [-1, 1] by where the nose tip lies between the eyes
        and between eye and mouth line; roll in degrees. Landmarks that coincide, or that are no
        numbers, give (1, 1, 0), the worst.
    """
    if not np.isfinite(landmarks).all():
        return 1.0, 1.0, 0.0
    eyes, mouth, nose = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0), landmarks[2]
    across = landmarks[1] - landmarks[0]
    distance = float(np.hypot(*across))
    if distance < 1e-3:
        return 1.0, 1.0, 0.0
    right = across / distance
    down = np.array([-right[1], right[0]], np.float32)
    height = float((mouth - eyes) @ down)
    if height < 1e-3:
        return 1.0, 1.0, 0.0
    yaw = 2 * float((nose - eyes) @ right) / distance
    pitch = 2 * (_FRONTAL_NOSE - float((nose - eyes) @ down) / height)
    roll = float(np.degrees(np.arctan2(across[1], across[0])))
    return float(np.clip(yaw, -1, 1)), float(np.clip(pitch, -1, 1)), roll


def _ramp(value: float, low: float, high: float) -> float:
    """0 below `low` and for what is no number, 1 above `high`, straight in between."""
    return float(min(max(0.0, (value - low) / (high - low)), 1.0))
