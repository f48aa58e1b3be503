"""Pictures of made-up people whom a fake detector finds and a fake embedder knows.

A face is a square of 112 pixels, textured so that every quality rule is met; its blue channel is
the number of the person. PNG keeps it exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from agent.ports import ModelIdentity
from agent.values import F32, BgrImage, Crops, FaceDetections, Vectors
from agent.vision.alignment import CROP
from tests.support.faces import detections

PITCH = 128
DIM = 128
SHA256 = "5" * 64
SPACE = "portraits"


def portrait(*people: int, light: float = 1.0, columns: int = 8) -> BgrImage:
    """A picture of these people, 1 to 255 each, side by side; of nobody without any."""
    rows = max(1, -(-len(people) // columns))
    wide = max(1, min(columns, len(people)))
    image = np.zeros((rows * PITCH, wide * PITCH, 3), np.uint8)
    for at, person in enumerate(people):
        top, left = (at // columns) * PITCH, (at % columns) * PITCH
        image[top : top + CROP, left : left + CROP] = _face(person, light)
    return image


def save_portrait(path: Path, *people: int, light: float = 1.0) -> Path:
    done, data = cv2.imencode(".png", portrait(*people, light=light))
    assert done
    path.write_bytes(data.tobytes())
    return path


def template(person: int) -> F32:
    vector = np.random.default_rng(person).standard_normal(DIM, dtype=np.float32)
    return vector / np.linalg.norm(vector)


def _face(person: int, light: float) -> BgrImage:
    texture = np.random.default_rng(7).integers(40, 216, (CROP, CROP)).astype(np.float32)
    grey = (texture * light).astype(np.uint8)
    return np.dstack([np.full((CROP, CROP), person, np.uint8), grey, grey])


@dataclass
class PortraitDetector:
    identity: ModelIdentity = field(default=ModelIdentity("portraits", "fp32", "d" * 64))

    def find_from(self, face_px: float) -> None:
        """Its faces are all of one size."""

    def forget(self) -> None:
        """It keeps nothing."""

    def detect(self, image: BgrImage) -> FaceDetections:
        found = [
            (left + CROP / 2, top + CROP / 2, float(CROP))
            for top in range(0, image.shape[0], PITCH)
            for left in range(0, image.shape[1], PITCH)
            if image[top + CROP // 2 :, left + CROP // 2 :, 0][:1, :1].any()
        ]
        return detections(found)


@dataclass
class PortraitEmbedder:
    """Remembers the sizes of its batches."""

    batches: list[int] = field(default_factory=list)
    identity: ModelIdentity = field(default=ModelIdentity("portraits", "fp32", SHA256, SPACE))
    dim: int = DIM

    def forget(self) -> None:
        """It keeps nothing."""

    def embed(self, crops: Crops) -> Vectors:
        self.batches.append(len(crops))
        return np.stack([template(int(crop[CROP // 2, CROP // 2, 0])) for crop in crops])


@dataclass
class PortraitModels:
    """As `Context.models()` gives them, with the curve of an embedder measured down to 1e-7."""

    detector: PortraitDetector = field(default_factory=PortraitDetector)
    embedder: PortraitEmbedder = field(default_factory=PortraitEmbedder)
    curve: Sequence[tuple[float, float]] = ((0.36, 1e-3), (0.49, 1e-5), (0.67, 1e-7))

    @property
    def hashes(self) -> dict[str, str]:
        detector, embedder = self.detector.identity, self.embedder.identity
        return {"detector": detector.sha256, "embedder": embedder.sha256}
