"""The two networks in onnxruntime."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from agent.adapters.onnxruntime_quiet import onnxruntime as ort
from agent.config import DetectionConfig
from agent.errors import DataError
from agent.ports import ModelIdentity
from agent.values import F32, BgrImage, Crops, FaceDetections, Vectors
from agent.vision import yunet
from agent.vision.alignment import CROP
from agent.vision.scales import Window, windows

_HALF = 0.5
EMBED_BATCH = 16
"""Faces embedded at once: more gains no speed and costs memory."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A network file whose bytes were checked against the manifest."""

    path: Path
    identity: ModelIdentity


def open_session(file: ModelFile, threads: int) -> ort.InferenceSession:
    """Load a network.

    Threads do not spin between calls: on a battery a busy wait costs more than it saves.

    Raises:
        DataError: onnxruntime cannot load the file.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # frames of many sizes would each leave their own plan and arena behind
    options.enable_mem_pattern = False
    try:
        return ort.InferenceSession(str(file.path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 -- onnxruntime raises its own, undocumented types
        raise DataError(
            f"{file.path.name}: onnxruntime cannot load it ({type(error).__name__}); "
            "rebuild the models (bodycam-agent models build)"
        ) from None


def giving_back() -> ort.RunOptions:
    """After a run with these, onnxruntime gives its arena back, and freed memory is overwritten
    (`agent.adapters.own_memory`).
    """
    options = ort.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def run_bound(
    session: ort.InferenceSession,
    inputs: Mapping[str, F32],
    outputs: Mapping[str, F32],
    options: ort.RunOptions | None = None,
) -> None:
    """Run from these buffers into those, without a copy of either in onnxruntime's arena."""
    binding = session.io_binding()
    for name, array in inputs.items():
        binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
    for name, array in outputs.items():
        binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
    session.run_with_iobinding(binding, options)


class YuNetDetector:
    """Finds faces of any size in frames of any size."""

    def __init__(self, file: ModelFile, config: DetectionConfig, *, threads: int) -> None:
        self._session = open_session(file, threads)
        self._identity = file.identity
        self._config = config
        self._face_px = float(config.min_face_px)
        self._buffer: F32 = np.zeros((1, 3, 0, 0), np.float32)

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    def detect(self, image: BgrImage) -> FaceDetections:
        height, width = image.shape[:2]
        parts = []
        shrunk: dict[float, BgrImage] = {1.0: image}
        for window in windows(width, height, self._face_px):
            if window.scale not in shrunk:
                size = (window.width, window.height)
                # down to a half, linear interpolation sees every pixel, at a fifth of the cost
                how = cv2.INTER_LINEAR if window.scale >= _HALF else cv2.INTER_AREA
                shrunk[window.scale] = cv2.resize(image, size, interpolation=how)
            parts.append(self._look(shrunk[window.scale], window, (width, height)))
        faces = parts[0] if len(parts) == 1 else _merge(parts, self._config.nms_iou)
        return yunet.clip_to(faces, width, height)

    def find_from(self, face_px: float) -> None:
        self._face_px = face_px

    def forget(self) -> None:
        """A blank picture overwrites the last one in the arena; what is left is given back."""
        self._buffer.fill(0)
        if self._buffer.size:
            self._session.run(None, {"image": self._buffer}, giving_back())

    def _look(self, image: BgrImage, window: Window, frame: tuple[int, int]) -> FaceDetections:
        piece = image[window.top : window.bottom, window.left : window.right]
        rows, columns = (math.ceil(side / yunet.ALIGN) * yunet.ALIGN for side in piece.shape[:2])
        if self._buffer.shape[2:] != (rows, columns):
            self._buffer = np.zeros((1, 3, rows, columns), np.float32)
        yunet.to_input(piece, self._buffer[0])
        maps = [level[0] for level in self._session.run(None, {"image": self._buffer})]
        faces = yunet.decode(maps, score=self._config.score, nms_iou=self._config.nms_iou)
        if window.least:
            faces = faces.take(faces.boxes[:, 2] - faces.boxes[:, 0] >= window.least)
        return yunet.to_frame(
            faces,
            factor=(frame[0] / window.width, frame[1] / window.height),
            offset=(window.left, window.top),
        )


def _merge(parts: list[FaceDetections], iou: float) -> FaceDetections:
    joined = FaceDetections(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.landmarks for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )
    return yunet.suppress(joined, iou)


class SFaceEmbedder:
    """Turns aligned faces into unit vectors.

    Inputs and outputs are buffers of its own, bound to the session: what onnxruntime allocates for
    an output stays in its arena with the vector in it.
    """

    def __init__(self, file: ModelFile, *, threads: int) -> None:
        self._session = open_session(file, threads)
        self._identity = file.identity
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name
        self._dim = int(self._session.get_outputs()[0].shape[1])

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    @property
    def dim(self) -> int:
        return self._dim

    def embed(self, crops: Crops) -> Vectors:
        vectors = np.zeros((len(crops), self._dim), np.float32)
        for start in range(0, len(crops), EMBED_BATCH):
            tensor = _planes(crops[start : start + EMBED_BATCH])
            self._run(tensor, vectors[start : start + EMBED_BATCH])
            tensor.fill(0)
        norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))  # no squares are left behind
        vectors /= np.maximum(norms, 1e-12)[:, None]
        return vectors

    def forget(self) -> None:
        """Overwrite what onnxruntime keeps of the last faces: its arena is given back."""
        blank = np.zeros((1, 3, CROP, CROP), np.float32)
        self._run(blank, np.zeros((1, self._dim), np.float32), giving_back())

    def _run(self, tensor: F32, out: F32, options: ort.RunOptions | None = None) -> None:
        run_bound(self._session, {self._input: tensor}, {self._output: out}, options)


def _planes(crops: Crops) -> F32:
    """(n, 112, 112, 3) BGR bytes to (n, 3, 112, 112) RGB floats."""
    tensor = np.empty((len(crops), 3, *crops.shape[1:3]), np.float32)
    for planes, crop in zip(tensor, crops, strict=True):
        planes[2], planes[1], planes[0] = cv2.split(crop)
    return tensor
