"""What an agent must not keep of people who are on no list, worked out in another process.

Run as a program it is the opposite of the agent: it looks at the pictures with the same networks,
keeps everything, says "ready" and waits for the end of its input.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from agent.app.models import open_models
from agent.config import Config, ModelsConfig
from agent.vision.alignment import align_faces
from firmware_sim.player import Encoder
from tests.support.memory_scan import float_windows, row_windows

_TABLES = 1024
"""The beginning of a JPEG is the same for all."""
CROWD = ("multi_face.jpg", "0-f1-su-ph.jpg", "45-m7-di-ph.jpg")


def jpeg_of(path: Path) -> np.ndarray:
    """The picture as the simulated camera sends it, (n,) bytes."""
    return _sent(cv2.imread(str(path)))


def as_sent(path: Path) -> np.ndarray:
    """The picture as a viewer of the simulated camera decodes it."""
    return _seen(jpeg_of(path))


def film_as_sent(path: Path) -> Iterator[np.ndarray]:
    """Likewise every picture of a film."""
    capture = cv2.VideoCapture(str(path))
    while True:
        done, picture = capture.read()
        if not done:
            return
        yield _seen(_sent(picture))


def _sent(picture: np.ndarray) -> np.ndarray:
    return np.frombuffer(Encoder()(np.asarray(picture, np.uint8)), np.uint8)


def _seen(jpeg: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)


class Looker:
    """The networks as an agent with default settings opens them."""

    def __init__(self, models: Path) -> None:
        config = Config(models=ModelsConfig(dir=str(models)))
        found = open_models(config, models)
        self.detector, self.embedder = found.detector, found.embedder

    def crops(self, image: np.ndarray) -> np.ndarray:
        return align_faces(image, self.detector.detect(image).landmarks)

    def templates(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As the network gives them, and of unit length."""
        session = self.embedder._session
        (raw,) = session.run(None, {session.get_inputs()[0].name: planes(crops)})
        return raw, self.embedder.embed(crops)


def planes(crops: np.ndarray) -> np.ndarray:
    """(n, h, w, 3) BGR bytes to (n, 3, h, w) RGB floats."""
    return np.ascontiguousarray(crops[..., ::-1].transpose(0, 3, 1, 2), np.float32)


def needles_of(looker: Looker, pictures: Sequence[Path]) -> dict[str, set[bytes]]:
    """Windows of everything that looking at the pictures brings into memory.

    Templates depend in their last bits on how many faces are embedded together, so both each by
    itself and all at once.
    """
    kinds = ("raw", "unit", "crop u8", "crop planes", "crop f32", "frame u8", "frame f32", "jpeg")
    needles: dict[str, set[bytes]] = {kind: set() for kind in kinds}
    for picture in pictures:
        image = as_sent(picture)
        crops = looker.crops(image)
        for batch in (crops, *(crops[at : at + 1] for at in range(len(crops)))):
            raw, unit = looker.templates(batch)
            needles["raw"] |= float_windows(raw)
            needles["unit"] |= float_windows(unit)
        floats = planes(crops).reshape(-1, crops.shape[2])
        needles["crop u8"] |= row_windows(crops.reshape(-1, crops.shape[2] * 3), step=16)
        needles["crop planes"] |= row_windows(floats.astype(np.uint8), step=48)
        needles["crop f32"] |= row_windows(floats[::2], step=48)
        rows = image.reshape(len(image), -1)
        needles["frame u8"] |= row_windows(rows, step=160)
        wide = planes(image[None])[0, :, ::4].reshape(-1, image.shape[1])
        needles["jpeg"] |= row_windows(jpeg_of(picture)[None, _TABLES:], step=128)
        needles["frame f32"] |= row_windows(wide, step=160)
    return needles


def hoard(models: Path, pictures: Sequence[Path]) -> list[object]:
    looker, kept = Looker(models), []
    for picture in pictures:
        image = as_sent(picture)
        crops = looker.crops(image)
        kept += [image, planes(image[None]), crops, planes(crops), looker.templates(crops)]
        kept += [planes(crops).astype(np.uint8), jpeg_of(picture)]
    return kept


if __name__ == "__main__":
    held = hoard(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
    print("ready", flush=True)
    sys.stdin.read()
    del held
