"""The OpenCV way: detect, align, embed and search every face of every frame."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from agent.values import F32, BgrImage, Vectors

DETECTOR_VARIABLE = "BODYCAM_PEER_DETECTOR"
EMBEDDER_VARIABLE = "BODYCAM_PEER_EMBEDDER"
FOLDER = Path("build/models/peer")
MOST_FACES = 5000


def opencv(*parts: str) -> str:
    """The library, and what of it takes part."""
    return " + ".join((f"OpenCV {cv2.__version__} {parts[0]}", *parts[1:]))


def peer_files() -> tuple[Path, Path]:
    """The folded fp32 networks that OpenCV can load: the same weights as ours.

    Raises:
        FileNotFoundError: they were not built.
    """
    return _file(DETECTOR_VARIABLE, "*yunet*.onnx"), _file(EMBEDDER_VARIABLE, "*sface*.onnx")


class PeerDetector:
    """FaceDetectorYN.

    Args:
        score: lowest score of a face.
        nms_iou: as the agent's own.
    """

    def __init__(self, *, score: float, nms_iou: float) -> None:
        path, _ = peer_files()
        self._net = cv2.FaceDetectorYN.create(str(path), "", (640, 640), score, nms_iou, MOST_FACES)
        self._size = (640, 640)

    def detect(self, image: BgrImage) -> F32:
        """(n, 15): x, y, w, h, five landmarks, score; at the picture's own size."""
        size = (image.shape[1], image.shape[0])
        if size != self._size:
            self._net.setInputSize(size)
            self._size = size
        faces = self._net.detect(image)[1]
        return np.zeros((0, 15), np.float32) if faces is None else faces


class PeerEmbedder:
    """FaceRecognizerSF, which takes one face at a time."""

    def __init__(self) -> None:
        _, path = peer_files()
        self._net = cv2.FaceRecognizerSF.create(str(path), "")

    def crop(self, image: BgrImage, face: F32) -> BgrImage:
        """The aligned face, 112x112."""
        return self._net.alignCrop(image, face)

    def embed(self, crop: BgrImage) -> F32:
        """(128,) of unit length."""
        vector: F32 = self._net.feature(crop)[0]
        return vector / np.linalg.norm(vector)


class PeerPipeline:
    """All of it, with an exact search in a matrix.

    Args:
        vectors: (n, 128) templates of the list.
        score: lowest score of a face.
        nms_iou: as the agent's own.
    """

    def __init__(self, vectors: Vectors, *, score: float, nms_iou: float) -> None:
        self._detector = PeerDetector(score=score, nms_iou=nms_iou)
        self._embedder = PeerEmbedder()
        self._vectors = vectors
        self.faces = 0

    def frame(self, image: BgrImage) -> list[tuple[int, float]]:
        """For each face the nearest template and its similarity."""
        found = []
        for face in self._detector.detect(image):
            probe = self._embedder.embed(self._embedder.crop(image, face))
            scores = self._vectors @ probe
            best = int(np.argmax(scores))
            found.append((best, float(scores[best])))
        self.faces += len(found)
        return found


def _file(variable: str, pattern: str) -> Path:
    given = os.environ.get(variable)
    found = [Path(given)] if given else sorted(FOLDER.glob(pattern))
    if not found or not found[0].is_file():
        raise FileNotFoundError(
            f"{given or FOLDER / pattern}: no such network; run `make models`, or name one in "
            f"${variable}"
        )
    return found[0]
