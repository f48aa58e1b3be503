"""A scripted camera: what happens at each open and each read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import numpy as np

from agent.errors import CameraError
from agent.values import CaptureCounts, Frame, Monotonic, Wall

Step = Frame | Exception | None | Callable[[], None]


class ScriptedCamera:
    """Plays one list of steps for each successful open.

    A step is a frame, an exception to raise, None for the end of the stream, or a call to make
    before going on to the next step. An open is an exception to raise, or the steps that follow.
    """

    def __init__(self, *opens: Exception | Iterable[Step], live: bool = False) -> None:
        self.live = live
        self._opens = list(opens)
        self._steps: list[Step] = []
        self.opened = 0
        self.closed = 0
        self.skipped = 0
        self.interrupted = threading.Event()

    def open(self) -> None:
        outcome = self._opens.pop(0) if self._opens else []
        if isinstance(outcome, Exception):
            raise outcome
        self.opened += 1
        self._steps = list(outcome)

    def read(self) -> Frame | None:
        while self._steps:
            step = self._steps.pop(0)
            if isinstance(step, Exception):
                raise step
            if step is None or isinstance(step, Frame):
                return step
            step()
        return None

    def skip(self) -> bool:
        """As `read`, but the picture is not made."""
        skipped = self.read() is not None
        self.skipped += skipped
        return skipped

    def wait(self) -> None:
        """A step: silence, until somebody interrupts."""
        assert self.interrupted.wait(10)
        raise CameraError("interrupted")

    def interrupt(self) -> None:
        self.interrupted.set()

    def counts(self) -> CaptureCounts:
        return CaptureCounts()

    def close(self) -> None:
        self.closed += 1


def frame(seq: int, at: float | None = None, size: tuple[int, int] = (4, 4)) -> Frame:
    moment = float(seq) if at is None else at
    image = np.zeros((size[1], size[0], 3), np.uint8)
    return Frame(image, seq, Monotonic(moment), Wall(1_800_000_000.0 + moment))
