"""What every camera does with a picture: number it, date it, count it."""

from __future__ import annotations

from dataclasses import replace

from agent.ports import Clock
from agent.stages.timeline import Timeline, TimelineLimits, place
from agent.values import BgrImage, CaptureCounts, Frame, Monotonic, Wall


class Framing:
    """Makes frames of one source, over all its reconnections.

    Args:
        clock: says when a picture came, and when it was taken if the camera does not.
        limits: how much the camera's stamps are believed.
    """

    def __init__(self, clock: Clock, limits: TimelineLimits) -> None:
        self._clock = clock
        self._limits = limits
        self._timeline: Timeline | None = None
        self._seq = 0
        self._size: tuple[int, int] | None = None
        self._opened = False
        self.counts = CaptureCounts()

    def opened(self) -> None:
        """The source is open; every time but the first is a reconnection."""
        if self._opened:
            self.counts = replace(self.counts, reconnects=self.counts.reconnects + 1)
        self._opened = True

    def corrupt(self, frames: int = 1) -> None:
        """`frames` pictures could not be decoded; they keep their numbers."""
        self._seq += frames
        self.counts = replace(self.counts, corrupt=self.counts.corrupt + frames)

    def skip(self, frames: int) -> None:
        """`frames` pictures were let go for newer ones; they keep their numbers."""
        self._seq += frames

    def frame(
        self, image: BgrImage, captured: Wall | None = None, *, received: Monotonic | None = None
    ) -> Frame:
        """Number and date a picture.

        Args:
            image: (height, width, 3) uint8 BGR.
            captured: the camera's stamp; None when it gives none.
            received: when it came, monotonic seconds; None for now.
        """
        now = self._clock.monotonic() if received is None else received
        stamp = self._clock.wall() if captured is None else captured
        self._timeline = place(self._timeline, stamp, limits=self._limits, now=now)
        frame = Frame(image, self._seq, self._timeline.at, stamp)
        resized = self._size is not None and frame.size != self._size
        self._seq, self._size = self._seq + 1, frame.size
        self.counts = replace(
            self.counts, read=self.counts.read + 1, resized=self.counts.resized + resized
        )
        return frame
