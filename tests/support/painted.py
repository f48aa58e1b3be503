"""A detector and an embedder for pictures painted by a test: plain grey, the grey is the person."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from agent.ports import ModelIdentity
from agent.values import F32, BgrImage, Crops, FaceDetections, Vectors

SIZE = 128
BOX = (30.0, 30.0, 90.0, 110.0)
LANDMARKS = np.array([(38, 52), (74, 52), (56, 72), (42, 92), (71, 92)], np.float32)


def painted(grey: int) -> BgrImage:
    """A picture of the person called `grey`; 0 is nobody."""
    return np.full((SIZE, SIZE, 3), grey, np.uint8)


def save_painted(path: Path, grey: int) -> None:
    """Write such a picture; the ending of `path` says the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(path.suffix, painted(grey))
    assert done
    path.write_bytes(data.tobytes())


def direction(grey: int) -> F32:
    """The template of `grey`: a unit vector in the plane, half a degree to a grey level."""
    angle = np.deg2rad(grey / 2)
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


@dataclass
class PaintedDetector:
    """Finds one face in every picture that is not black."""

    identity: ModelIdentity = field(default=ModelIdentity("painted", "fp32", ""))

    def find_from(self, face_px: float) -> None:
        """Its faces are all of one size."""

    def forget(self) -> None:
        """It keeps nothing."""

    def detect(self, image: BgrImage) -> FaceDetections:
        if not image[0, 0, 0]:
            return FaceDetections.empty()
        return FaceDetections(
            np.array([BOX], np.float32), LANDMARKS[None], np.full(1, 0.9, np.float32)
        )


@dataclass
class PaintedEmbedder:
    """`direction` of the grey in the middle of a crop; remembers the sizes of its batches."""

    batches: list[int] = field(default_factory=list)
    identity: ModelIdentity = field(default=ModelIdentity("painted", "fp32", "", "painted"))
    dim: int = 2

    def forget(self) -> None:
        """It keeps nothing."""

    def embed(self, crops: Crops) -> Vectors:
        self.batches.append(len(crops))
        return np.stack([direction(int(crop[56, 56, 0])) for crop in crops])
