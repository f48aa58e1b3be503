"""Turns footage into the parts of a camera's stream, each at its time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from firmware_sim.footage import Shot

LATE_US = 500_000
"""In real time a frame this late is left out: this machine cannot keep up."""


@dataclass(frozen=True, slots=True)
class StreamPart:
    """One JPEG picture.

    Attributes:
        jpeg: the whole file.
        captured_us: capture time, microseconds since 1970-01-01 UTC.
    """

    jpeg: bytes
    captured_us: int

    @property
    def timestamp(self) -> str:
        """As in `X-Timestamp`: seconds, a point, six digits."""
        return f"{self.captured_us // 1_000_000}.{self.captured_us % 1_000_000:06d}"


@dataclass(frozen=True, slots=True)
class Encoder:
    """Scales and compresses.

    Attributes:
        quality: of the JPEG, 1 to 100.
        width, height: pixels; None for as it is, or to keep the proportions.
    """

    quality: int = 90
    width: int | None = None
    height: int | None = None

    def __call__(self, image: npt.NDArray[np.uint8]) -> bytes:
        size = self._size(image.shape[1], image.shape[0])
        if size != (image.shape[1], image.shape[0]):
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, self.quality])
        if not ok:
            raise ValueError(f"a picture of {size[0]}x{size[1]} cannot be a JPEG")
        return bytes(data.tobytes())

    def _size(self, width: int, height: int) -> tuple[int, int]:
        if self.width and self.height:
            return self.width, self.height
        if self.width:
            return self.width, max(1, round(height * self.width / width))
        if self.height:
            return max(1, round(width * self.height / height)), self.height
        return width, height


def play_all(
    shots: Iterable[Shot], encode: Callable[[npt.NDArray[np.uint8]], bytes], *, start_us: int
) -> Iterator[StreamPart]:
    """Every picture, as fast as it is taken; capture times are those of the footage."""
    for shot in shots:
        yield StreamPart(encode(shot.image), start_us + shot.at_us)


def play_live(
    shots: Iterable[Shot],
    encode: Callable[[npt.NDArray[np.uint8]], bytes],
    *,
    start_us: int,
    now_us: Callable[[], int],
    sleep_us: Callable[[int], None],
) -> Iterator[StreamPart]:
    """Each picture when its time has come; one that is `LATE_US` late is left out.

    Args:
        shots: the footage.
        encode: picture to JPEG.
        start_us: capture time of the stream's beginning.
        now_us: a monotonic clock, microseconds.
        sleep_us: waits.
    """
    began = now_us()
    for shot in shots:
        wait = began + shot.at_us - now_us()
        if wait < -LATE_US:
            continue
        jpeg = encode(shot.image)
        wait = began + shot.at_us - now_us()
        if wait > 0:
            sleep_us(wait)
        yield StreamPart(jpeg, start_us + shot.at_us)
