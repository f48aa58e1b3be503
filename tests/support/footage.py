"""Small footage made on the spot: frame i is a flat grey of level `shade(i)`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def shade(i: int) -> int:
    return 20 + 10 * (i % 20)


def picture(i: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    return np.full((size[1], size[0], 3), shade(i), np.uint8)


def shade_of(image: np.ndarray) -> int:
    """The i of `picture(i)`, for i below 20."""
    return round((float(image.mean()) - 20) / 10)


def jpeg(i: int, size: tuple[int, int] = (64, 48)) -> bytes:
    ok, data = cv2.imencode(".jpg", picture(i, size))
    assert ok
    return data.tobytes()


def video(path: Path, frames: int = 10, fps: float = 20, size: tuple[int, int] = (64, 48)) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
    assert writer.isOpened()
    for i in range(frames):
        writer.write(picture(i, size))
    writer.release()
    return path
