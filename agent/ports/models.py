"""The two networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from agent.values import BgrImage, Crops, FaceDetections, Vectors


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which network file is running.

    Attributes:
        name: as in the manifest, such as `sface-2021dec-int8`.
        precision: `int8` or `fp32`.
        sha256: of the file, hexadecimal.
        space: for embedders, the family whose vectors may be compared with each other.
    """

    name: str
    precision: str
    sha256: str
    space: str = ""


class Detector(Protocol):
    """Finds faces."""

    @property
    def identity(self) -> ModelIdentity: ...

    def detect(self, image: BgrImage) -> FaceDetections:
        """Faces of any size in a frame of any size, in its own pixels, best first."""

    def find_from(self, face_px: float) -> None:
        """Find faces of at least this width from now on, pixels of the frame."""

    def forget(self) -> None:
        """Overwrite what is kept of the last picture."""


class Embedder(Protocol):
    """Turns aligned faces into templates."""

    @property
    def identity(self) -> ModelIdentity: ...

    @property
    def dim(self) -> int: ...

    def embed(self, crops: Crops) -> Vectors:
        """(n, 112, 112, 3) uint8 BGR crops to (n, dim) float32 unit vectors; n may be 0."""

    def forget(self) -> None:
        """Overwrite what is kept of the last faces."""
