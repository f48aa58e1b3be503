"""One photograph judged as a device would: the same detector, quality gate and embedder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from agent.adapters.images import decode_image, read_picture_bytes
from agent.app.context import Models
from agent.errors import BodycamError, DataError
from agent.pipeline.enrol import enrol_photograph
from agent.ports import Detector, ModelIdentity
from agent.values import BgrImage, FaceDetections
from agent.watchlist.enrolment import EnrolmentLimits, Reason

_RULES: Final = 2
"""Changes with what is asked of a photograph besides limits: 2 asks that it stand upright."""
UNREADABLE: Final = "unreadable"
_MARGIN: Final = 0.5
"""Of the face's size, around it on each side of the kept picture: hair, ears and chin."""
_SIDE: Final = 256
_JPEG_QUALITY: Final = 85

OpenModels = Callable[[], Models]
"""Opens the networks. It crosses to other processes, so it must be picklable."""


@dataclass(frozen=True, slots=True)
class Why:
    """One reason against a photograph: a code, and a sentence with the figures."""

    problem: str
    text: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one photograph.

    Attributes:
        sha256: of the file, hexadecimal; empty when it could not be read.
        why: reasons against it; none with a template.
        quality: 0 to 1, 0 without exactly one face.
        template: float32 numbers, little-endian; empty when refused.
        crop: JPEG of the face for later comparison by a person; empty when refused.
    """

    sha256: str
    why: tuple[Why, ...]
    quality: float = 0.0
    template: bytes = b""
    crop: bytes = b""


def judge(path: Path, models: Models, limits: EnrolmentLimits) -> Judged:
    """A template and a picture of the face, or every reason against the photograph."""
    digest = ""
    try:
        data = read_picture_bytes(path)
        digest = hashlib.sha256(data).hexdigest()
        image = decode_image(data, "the photograph")  # its name may be a person's, and is not kept
    except BodycamError as error:
        return unreadable(digest, str(error))
    detector = _Remembering(models.detector)
    result = enrol_photograph(image, detector, models.embedder, limits)
    if result.template is None or detector.seen is None:
        quality = result.quality.score if result.quality else 0.0
        return Judged(digest, tuple(map(_why, result.reasons)), quality)
    vector = np.ascontiguousarray(result.template.vector, "<f4")
    quality = result.quality.score if result.quality else 0.0
    return Judged(digest, (), quality, vector.tobytes(), _crop(image, detector.seen))


def unreadable(digest: str, text: str) -> Judged:
    return Judged(digest, (Why(UNREADABLE, text),))


def recipe(detector: ModelIdentity, embedder: ModelIdentity, limits: EnrolmentLimits) -> str:
    """Names everything that a judgement depends on but the photograph, hexadecimal."""
    return hashlib.sha256(f"{_RULES} {detector} {embedder} {limits}".encode()).hexdigest()


def _why(reason: Reason) -> Why:
    return Why(reason.problem.value, str(reason))


def _crop(image: BgrImage, faces: FaceDetections) -> bytes:
    height, width = image.shape[:2]
    left, top, right, bottom = (float(edge) for edge in faces.boxes[0])
    aside, above = _MARGIN * (right - left), _MARGIN * (bottom - top)
    piece = image[
        max(0, int(top - above)) : min(height, int(bottom + above) + 1),
        max(0, int(left - aside)) : min(width, int(right + aside) + 1),
    ]
    scale = min(1.0, _SIDE / max(piece.shape[:2]))
    size = (max(1, round(piece.shape[1] * scale)), max(1, round(piece.shape[0] * scale)))
    small = cv2.resize(piece, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise DataError("the face cannot be kept as a JPEG picture")
    return bytes(data.tobytes())


class _Remembering:
    """A detector that can say what it saw in the photograph as it is, which it is shown first."""

    def __init__(self, inner: Detector) -> None:
        self._inner = inner
        self.seen: FaceDetections | None = None

    @property
    def identity(self) -> ModelIdentity:
        return self._inner.identity

    def detect(self, image: BgrImage) -> FaceDetections:
        found = self._inner.detect(image)
        if self.seen is None:
            self.seen = found
        return found

    def find_from(self, face_px: float) -> None:
        self._inner.find_from(face_px)

    def forget(self) -> None:
        self._inner.forget()
