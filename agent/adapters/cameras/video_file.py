"""Frames from a video file."""

from __future__ import annotations

import math
from pathlib import Path

import cv2

from agent.adapters.cameras.capture import Capture, CaptureFactory, opencv_capture
from agent.adapters.cameras.framing import Framing
from agent.adapters.opencv_quiet import quieten_opencv
from agent.errors import DataError, MissingFileError
from agent.ports import Clock
from agent.stages.timeline import RECORDED
from agent.values import BgrImage, CaptureCounts, Frame, Wall

_ATTEMPTS = 64
"""Failures in a row that are the end of the file. A damaged stretch gives one failure for many
packets, so that this is far."""
_SHORT = 0.9
"""A file that yields less of its declared frames than this was cut short; containers are often
wrong by a few."""
_FASTEST_FPS = 1000.0


class VideoFileCamera:
    """A video, read in full, dated by its presentation times from the moment it is opened."""

    live = False

    def __init__(
        self, path: Path, clock: Clock, fps: float, capture: CaptureFactory = opencv_capture
    ) -> None:
        """`fps`: assumed of a file that has neither presentation times nor a rate."""
        self._path = path
        self._clock = clock
        self._fps = fps
        self._make = capture
        self._framing = Framing(clock, RECORDED)
        self._capture: Capture | None = None
        self._start = clock.wall()
        self._interval_s = 1.0 / fps
        self._pts_s = -math.inf
        self._taken = 0
        self._held: BgrImage | None = None

    def open(self) -> None:
        """Open the file, and decode its first frame to be sure that it is a video."""
        self.close()
        _check_file(self._path)
        quieten_opencv()
        capture = self._make(str(self._path), cv2.CAP_FFMPEG, [])
        if not capture.isOpened():
            capture.release()
            raise DataError(f"{self._path}: not a video that can be decoded")
        self._capture = capture
        rate = capture.get(cv2.CAP_PROP_FPS)
        self._interval_s = 1.0 / (rate if 0 < rate <= _FASTEST_FPS else self._fps)
        self._start, self._pts_s, self._taken = self._clock.wall(), -math.inf, 0
        self._held = self._next_image(capture)
        if self._held is None:
            self.close()
            raise DataError(f"{self._path}: a video without a single frame that can be decoded")
        self._framing.opened()

    def read(self) -> Frame | None:
        if self._capture is None:
            return None
        image, self._held = self._held, None
        if image is None:
            image = self._next_image(self._capture)
        if image is None:
            self._count_missing(self._capture)
            self.close()
            return None
        return self._framing.frame(image, Wall(self._start + self._pts_s))

    def skip(self) -> bool:
        if self._capture is None:
            return False
        held, self._held = self._held, None
        passed = 1 if held is not None else self._pass_over(self._capture)
        self._framing.skip(passed)
        if not passed:
            self._count_missing(self._capture)
            self.close()
        return passed > 0

    def interrupt(self) -> None:
        """Nobody waits for long here."""

    def counts(self) -> CaptureCounts:
        return self._framing.counts

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
        self._capture, self._held = None, None

    def _next_image(self, capture: Capture) -> BgrImage | None:
        """The next frame that decodes. Failures count once a good frame shows them as a gap."""
        for failures in range(_ATTEMPTS):
            if capture.grab():
                ok, image = capture.retrieve()
                if ok and image is not None:
                    self._advance(capture)
                    self._taken += 1 + failures
                    if failures:
                        self._framing.corrupt(failures)
                    found: BgrImage = image
                    return found
        return None

    def _pass_over(self, capture: Capture) -> int:
        """Frames gone by up to the next whole one, that one included; 0 at the end."""
        for failures in range(_ATTEMPTS):
            if capture.grab():
                self._advance(capture)
                self._taken += 1 + failures
                return 1 + failures
        return 0

    def _advance(self, capture: Capture) -> None:
        """The presentation time of the frame just decoded, or one interval after the last."""
        pts_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
        if math.isfinite(pts_s) and pts_s >= 0 and pts_s > self._pts_s:
            self._pts_s = pts_s
        else:
            self._pts_s = max(self._pts_s, -self._interval_s) + self._interval_s

    def _count_missing(self, capture: Capture) -> None:
        declared = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        if math.isfinite(declared) and self._taken < _SHORT * declared:
            self._framing.corrupt(int(declared) - self._taken)


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise DataError(f"{path}: is a folder without pictures, a video is needed")
        if not path.exists():
            raise MissingFileError(f"{path}: no such file")
        with path.open("rb") as stream:
            if not stream.read(1):
                raise DataError(f"{path}: the file is empty")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MissingFileError(f"{path}: cannot be read ({reason})") from None
