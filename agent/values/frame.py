"""What a camera hands over."""

from __future__ import annotations

from dataclasses import dataclass

from agent.values.arrays import BgrImage
from agent.values.times import Monotonic, Wall


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture and when it was taken.

    Attributes:
        image: (height, width, 3) uint8 BGR.
        seq: number of the frame in its stream, from 0; gaps mean dropped frames.
        at: monotonic seconds of capture, on the agent's clock.
        captured_at: wall-clock seconds of capture, by the camera when it says so.
    """

    image: BgrImage
    seq: int
    at: Monotonic
    captured_at: Wall

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.image.shape[1], self.image.shape[0]


@dataclass(frozen=True, slots=True)
class CaptureCounts:
    """What a camera has seen since it was opened. All are counts of events.

    Attributes:
        read: frames handed over.
        corrupt: frames that could not be decoded, skipped.
        resized: changes of picture size in mid-stream.
        reconnects: times that the source was lost and opened again.
    """

    read: int = 0
    corrupt: int = 0
    resized: int = 0
    reconnects: int = 0
