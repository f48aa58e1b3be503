"""Frames from a folder of pictures, or from a single one."""

from __future__ import annotations

import re
from pathlib import Path

from agent.adapters.cameras.framing import Framing
from agent.adapters.images import SUFFIXES, read_image
from agent.errors import DataError, MissingFileError
from agent.ports import Clock
from agent.stages.timeline import RECORDED
from agent.values import CaptureCounts, Frame, Wall


class ImageFolderCamera:
    """The pictures of a folder in natural order, one every 1/fps seconds.

    Pictures of any size follow each other; bad ones are skipped and counted.
    """

    live = False

    def __init__(self, path: Path, clock: Clock, fps: float) -> None:
        self._path = path
        self._clock = clock
        self._fps = fps
        self._framing = Framing(clock, RECORDED)
        self._pictures: list[Path] = []
        self._next = 0
        self._start = clock.wall()

    def open(self) -> None:
        self._pictures, self._next = _pictures(self._path), 0
        self._start = self._clock.wall()
        self._framing.opened()

    def read(self) -> Frame | None:
        while self._next < len(self._pictures):
            turn, self._next = self._next, self._next + 1
            try:
                image = read_image(self._pictures[turn])
            except (DataError, MissingFileError):
                self._framing.corrupt()
                continue
            return self._framing.frame(image, Wall(self._start + turn / self._fps))
        return None

    def skip(self) -> bool:
        if self._next >= len(self._pictures):
            return False
        self._next += 1
        self._framing.skip(1)
        return True

    def interrupt(self) -> None:
        """Nobody waits for long here."""

    def counts(self) -> CaptureCounts:
        return self._framing.counts

    def close(self) -> None:
        self._pictures = []


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts `2.jpg` before `10.jpg`."""
    pieces = re.split(r"([0-9]+)", name)
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p.lower()) for p in pieces)


def _pictures(path: Path) -> list[Path]:
    if path.is_file():
        read_image(path)  # alone, a bad picture is an error and not a gap
        return [path]
    try:
        entries = [p for p in path.iterdir() if p.suffix.lower() in SUFFIXES]
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such folder") from None
    except OSError as error:
        raise MissingFileError(f"{path}: cannot be read ({error.strerror})") from None
    pictures = sorted((p for p in entries if p.is_file()), key=lambda p: natural_key(p.name))
    if not pictures:
        raise DataError(f"{path}: no .jpg, .png, .bmp or .webp picture in this folder")
    return pictures
