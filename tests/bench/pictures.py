"""What is looked at: footage and photographs from the locked assets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from agent.adapters.images import read_image
from agent.values import BgrImage, Frame, Monotonic, Wall
from tests.bench.peer import PeerDetector

ASSETS_VARIABLE = "BODYCAM_BENCH_ASSETS"
ASSETS = Path("build/assets")
CLIPS = ("single_face.mp4", "WolfgangLanger_Pexels.mp4")
GROUP = "multi_face.jpg"
PORTRAITS = (GROUP, "single_face.jpg", "0-f1-su-ph.jpg")
"""Photographs whose faces make up the crowd: seven people."""
SWAY = 24
"""Pixels that the crowd's picture moves to and fro, as a worn camera does."""
FPS = 30.0


def asset(name: str) -> Path:
    """A file of the locked assets.

    Raises:
        FileNotFoundError: they were not fetched.
    """
    folder = Path(os.environ.get(ASSETS_VARIABLE, ASSETS))
    found = sorted(folder.rglob(name))
    if not found:
        raise FileNotFoundError(f"{folder}: no {name} in it; run `make models`")
    return found[0]


def group(width: int, height: int) -> BgrImage:
    """The photograph of five people, stretched to a size."""
    return cv2.resize(read_image(asset(GROUP)), (width, height), interpolation=cv2.INTER_AREA)


def crowd(faces: int = 100, width: int = 1920, height: int = 1080) -> BgrImage:
    """A picture with a margin of `SWAY` on every side, `faces` of a few people in a grid.

    Faces are of several sizes and half of them mirrored; the identities repeat.
    """
    columns = int(np.ceil(np.sqrt(faces * width / height)))
    lines = int(np.ceil(faces / columns))
    cell = (width // columns, height // lines)
    portraits = _portraits()
    rng = np.random.default_rng(0)
    picture: BgrImage = np.full((height + 2 * SWAY, width + 2 * SWAY, 3), 96, np.uint8)
    for number in range(faces):
        face = portraits[number % len(portraits)]
        side = int(min(cell) * rng.uniform(0.7, 1.0))
        small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
        line, column = divmod(number, columns)
        top, left = SWAY + line * cell[1], SWAY + column * cell[0]
        picture[top : top + side, left : left + side] = small[:, :: 1 - 2 * (number % 2)]
    return picture


def swaying(picture: BgrImage, frames: int) -> Iterator[Frame]:
    """So many frames of the crowd, the camera moving slowly, `FPS` a second."""
    height, width = picture.shape[0] - 2 * SWAY, picture.shape[1] - 2 * SWAY
    for number in range(frames):
        left = round(SWAY + 0.9 * SWAY * np.sin(2 * np.pi * number / (2 * FPS)))
        top = round(SWAY + 0.5 * SWAY * np.sin(2 * np.pi * number / FPS))
        view = np.ascontiguousarray(picture[top : top + height, left : left + width])
        yield Frame(view, number, Monotonic(number / FPS), Wall(1.7e9 + number / FPS))


def _portraits() -> list[BgrImage]:
    """Square pictures of each face in the photographs, with some room around it."""
    detector = PeerDetector(score=0.7, nms_iou=0.3)
    found = []
    for name in PORTRAITS:
        image = read_image(asset(name))
        for x, y, w, h in detector.detect(image)[:, :4]:
            half = 0.75 * max(w, h)
            found.append(_square(image, x + w / 2, y + h / 2, half))
    return found


def _square(image: BgrImage, x: float, y: float, half: float) -> BgrImage:
    side = max(round(2 * half), 16)
    corner = np.array([[1, 0, half - x], [0, 1, half - y]], np.float32)
    return cv2.warpAffine(image, corner, (side, side), borderMode=cv2.BORDER_REPLICATE)
