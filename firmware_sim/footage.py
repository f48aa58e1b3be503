"""Footage to play: videos and pictures, in order, as one stream on one time line."""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from firmware_sim.errors import Exit, SimError

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
PICTURE_FPS = 10.0
"""Rate of pictures, and of videos that name none, when nothing else is asked."""
_FASTEST_FPS = 1000.0
_GIVE_UP_AFTER = 64  # failed frames in a row: that is the end of the file
_US = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture of the stream.

    Attributes:
        image: (height, width, 3) uint8 BGR.
        at_us: microseconds from the start of the stream; always increases.
    """

    image: npt.NDArray[np.uint8]
    at_us: int


def quieten_decoders() -> None:
    """Keep what OpenCV and its FFmpeg would write to stderr to themselves."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def find(names: Iterable[str]) -> list[Path]:
    """Expand folders of pictures (in natural order), and check that all of it can be played.

    Raises:
        SimError: a name that does not exist (66), or is no video or picture (65).
    """
    paths = [path for name in names for path in _expand(Path(name))]
    for path in paths:
        if next(_frames(path, None), None) is None:
            raise SimError(f"{path}: not a video or picture that can be decoded", Exit.DATA)
    return paths


def shots(paths: Sequence[Path], *, loop: int, fps: float | None) -> Iterator[Shot]:
    """All pictures of all files, each file beginning where the one before it ended.

    Args:
        paths: as `find` gives them.
        loop: how often to play them all; 0: for ever.
        fps: frames/s for everything; None: the times of the videos, `PICTURE_FPS` for pictures.
    """
    turns = itertools.count() if loop == 0 else range(loop)
    start_us = 0
    for _ in turns:
        for path in paths:
            end_us = start_us
            for image, at_us, lasts_us in _frames(path, fps):
                end_us = start_us + at_us + lasts_us
                yield Shot(image, start_us + at_us)
            start_us = end_us


_Timed = tuple[npt.NDArray[np.uint8], int, int]
"""Picture, its time in its file, how long it lasts; microseconds."""


def _frames(path: Path, fps: float | None) -> Iterator[_Timed]:
    if path.suffix.lower() in PICTURES:
        return _picture(path, fps)
    return _video(path, fps)


def _picture(path: Path, fps: float | None) -> Iterator[_Timed]:
    data = np.fromfile(path, np.uint8)
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:
        image = None
    if image is not None:
        yield np.asarray(image, np.uint8), 0, round(_US / (fps or PICTURE_FPS))


def _video(path: Path, fps: float | None) -> Iterator[_Timed]:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        own = capture.get(cv2.CAP_PROP_FPS)
        rate = fps or (own if 0 < own <= _FASTEST_FPS else PICTURE_FPS)
        lasts_us = round(_US / rate)
        last_us, number = -1, 0
        while (image := _next(capture)) is not None:
            pts_ms = capture.get(cv2.CAP_PROP_POS_MSEC)
            if fps is not None:
                at_us = round(number * _US / fps)
            elif math.isfinite(pts_ms) and round(pts_ms * 1000) > last_us:
                at_us = round(pts_ms * 1000)
            else:
                at_us = max(last_us, -lasts_us) + lasts_us
            yield image, at_us, lasts_us
            last_us, number = at_us, number + 1
    finally:
        capture.release()


def _next(capture: cv2.VideoCapture) -> npt.NDArray[np.uint8] | None:
    """The next frame that decodes; a damaged one is passed over."""
    for _ in range(_GIVE_UP_AFTER):
        ok, image = capture.read()
        if ok:
            return np.asarray(image, np.uint8)
        if not capture.isOpened():
            break
    return None


def _expand(path: Path) -> list[Path]:
    try:
        if path.is_dir():
            found = [p for p in path.iterdir() if p.suffix.lower() in PICTURES and p.is_file()]
            if not found:
                raise SimError(f"{path}: no picture in this folder", Exit.DATA)
            return sorted(found, key=lambda p: _natural(p.name))
        with path.open("rb") as stream:
            empty = not stream.read(1)
    except FileNotFoundError:
        raise SimError(f"{path}: no such file", Exit.NO_INPUT) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SimError(f"{path}: cannot be read ({reason})", Exit.NO_INPUT) from None
    if empty:
        raise SimError(f"{path}: the file is empty", Exit.DATA)
    return [path]


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    pieces = re.split(r"([0-9]+)", name.lower())
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in pieces)
