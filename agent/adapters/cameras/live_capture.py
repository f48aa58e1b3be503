"""Frames of a live source that OpenCV reads: a webcam, or a network stream through FFmpeg."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.adapters.cameras.capture import Capture
from agent.adapters.cameras.framing import Framing
from agent.errors import CameraError
from agent.ports import Clock
from agent.stages.timeline import LIVE
from agent.values import BgrImage, CaptureCounts, Frame, Monotonic

_DIMENSIONS = 3
_CORRUPT_IN_A_ROW = 300
"""Ten seconds of nothing but damage at 30 frames/s is not a camera any more."""


class LiveCaptureCamera:
    """Reads whatever `connect` gives, dated at the grab.

    Args:
        name: for messages, without credentials.
        connect: opens the source; raises CameraError.
        clock: dates the frames.
        live: False when every frame shall be read, whatever the delay.
        asked: (width, height) that the source was asked for, pixels; None when it was not.

    Attributes:
        notice: one line when the source gives another size than asked, else empty.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Capture],
        clock: Clock,
        *,
        live: bool = True,
        asked: tuple[int, int] | None = None,
    ) -> None:
        self.live = live
        self.notice = ""
        self._name = name
        self._connect = connect
        self._clock = clock
        self._asked = asked
        self._framing = Framing(clock, LIVE)
        self._capture: Capture | None = None
        self._held: tuple[BgrImage, Monotonic] | None = None

    def open(self) -> None:
        """Open the source and wait for a first real frame: only that proves it works."""
        self.close()
        capture = self._connect()
        self._capture = capture
        try:
            self._held = self._next_image(capture)
        except CameraError:
            self.close()
            raise CameraError(f"{self._name}: opened, but it gives no picture") from None
        self._framing.opened()
        self.notice = self._compare(self._held[0])

    def read(self) -> Frame | None:
        if self._capture is None:
            raise CameraError(f"{self._name}: not open")
        held, self._held = self._held, None
        image, received = held or self._next_image(self._capture)
        return self._framing.frame(image, received=received)

    def skip(self) -> bool:
        if self._capture is None:
            raise CameraError(f"{self._name}: not open")
        held, self._held = self._held, None
        if held is None and not self._capture.grab():
            raise self._gone()
        self._framing.skip(1)
        return True

    def interrupt(self) -> None:
        """OpenCV cannot be interrupted: a silent source ends a read after `camera.stall_s`."""

    def counts(self) -> CaptureCounts:
        return self._framing.counts

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
        self._capture, self._held = None, None

    def _next_image(self, capture: Capture) -> tuple[BgrImage, Monotonic]:
        for _ in range(_CORRUPT_IN_A_ROW):
            if not capture.grab():
                break
            received = self._clock.monotonic()
            ok, image = capture.retrieve()
            if ok and _is_picture(image):
                return image, received
            self._framing.corrupt()
        raise self._gone()

    def _gone(self) -> CameraError:
        self.close()
        return CameraError(
            f"{self._name}: the camera went away (unplugged, silent, or its stream ended)"
        )

    def _compare(self, image: BgrImage) -> str:
        height, width = image.shape[:2]
        if self._asked is None or self._asked == (width, height):
            return ""
        return f"{self._name}: asked for {self._asked[0]}x{self._asked[1]}, gives {width}x{height}"


def _is_picture(image: Any) -> bool:
    return image is not None and image.ndim == _DIMENSIONS and image.size > 0
