"""The capture thread: opens the camera, keeps it open, hands frames over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent.errors import CameraError
from agent.ports import Camera, Clock
from agent.ports.log import Log
from agent.runtime.board import Board
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.mailbox import Mailbox
from agent.stages.wiping import wipe
from agent.values import Frame, Monotonic

STAGE = "capture"
_LONGEST_PAUSE_S = 15.0
_LONGEST_NAP_S = 1.0


@dataclass(frozen=True, slots=True)
class CaptureLimits:
    """How patient the capture loop is.

    Attributes:
        reconnect: a source that is lost may come back: a webcam or stream, not a file.
        reconnect_s: first pause before it is tried again, s; doubles up to 15 s.
        first_open_s: such a source never reached within this ends the run, s; None: try for
            ever; 0: one try.
        endless: a stream that ends is opened again, as a service does; else that is an end of
            file.
        real_time: hold back the frames of a file to the pace at which they were taken.
    """

    reconnect: bool
    reconnect_s: float
    first_open_s: float | None
    endless: bool
    real_time: bool


class CaptureLoop:
    """Feeds a mailbox from a camera until the end of the stream, or `stop`.

    Args:
        camera: used from this loop's thread only, but for its `interrupt`.
        mailbox: takes the frames; ended when the stream ends.
        limits: see `CaptureLimits`.
        clock: for pauses and pacing.
        board: told what is wrong with the camera, and when it is well again.
        heartbeats: told that this stage lives.
        log: told of losses and returns.
        wanted: whether anybody may look at frames now. While not, frames pass by: they are
            dropped here, and never handed over.
        pause: sleeps so many seconds, or less when the loop is stopped; None: really.

    Attributes:
        read: frames that the camera handed over.
        unwatched: of those, dropped because nobody may look.
        passed_by: frames that the camera itself skipped or could not decode.
    """

    def __init__(
        self,
        camera: Camera,
        mailbox: Mailbox[Any],
        limits: CaptureLimits,
        *,
        clock: Clock,
        board: Board,
        heartbeats: Heartbeats,
        log: Log,
        wanted: Callable[[], bool],
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._camera = camera
        self._mailbox = mailbox
        self._limits = limits
        self._clock = clock
        self._board = board
        self._heartbeats = heartbeats
        self._log = log
        self._wanted = wanted
        self._stopping = threading.Event()
        self._pause = pause or self._stopping.wait
        self._reached = False
        self._failures = 0
        self._told: set[str] = set()
        self._pacer = _Pacer()
        self.read = 0
        self.unwatched = 0
        self.passed_by = 0
        self._next_seq = 0

    def stop(self) -> None:
        """Ask the loop to end, also while it waits for a silent camera."""
        self._stopping.set()
        self._camera.interrupt()

    def run(self) -> None:
        """Until the end of the stream or `stop`.

        Raises:
            MissingFileError, DataError: the source is no camera, and never will be one.
            CameraError: it was never reached within `first_open_s`.
        """
        try:
            while self._open() and self._pump():
                self._camera.close()
        finally:
            self._camera.close()
            self._heartbeats.done(STAGE)
        self._mailbox.end()  # not after an error: that is no end of the file

    def _open(self) -> bool:
        """Open the source, trying again while it is a live one; False when stopped meanwhile."""
        began = self._clock.monotonic()
        while not self._stopping.is_set():
            self._heartbeats.beat(STAGE)
            try:
                self._camera.open()
            except CameraError as error:
                if self._stopping.is_set():
                    return False
                if not self._may_retry(began):
                    raise
                self._trouble(str(error))
            else:
                self._reached = True
                return True
        return False

    def _may_retry(self, began: Monotonic) -> bool:
        if not self._limits.reconnect:
            return False
        patience = self._limits.first_open_s
        if self._reached or patience is None:
            return True
        return self._clock.monotonic() - began < patience

    def _trouble(self, problem: str) -> None:
        """Each problem is told once until there is a picture again."""
        pause = min(_LONGEST_PAUSE_S, self._limits.reconnect_s * 2.0 ** min(self._failures, 10))
        self._failures += 1
        self._board.camera(problem)
        if problem not in self._told:
            self._told.add(problem)
            what = "camera lost" if self._reached else "camera not reached yet"
            self._log.warning(f"{what}, will try again", reason=problem, pause_s=pause)
        self._nap(pause)

    def _well(self) -> None:
        """There is a picture: a camera that can be opened and gives none is not well."""
        if self._failures:
            self._failures = 0
            self._told.clear()
            self._board.camera("")
            self._log.info("there are pictures from the camera again")

    def _nap(self, pause_s: float) -> None:
        """Sleep, but go on showing that this stage lives."""
        until = self._clock.monotonic() + pause_s
        while not self._stopping.is_set() and (left := until - self._clock.monotonic()) > 0:
            self._heartbeats.beat(STAGE)
            self._pause(min(left, _LONGEST_NAP_S))

    def _pump(self) -> bool:
        """Hand over frames; True when the source was lost and shall be opened again."""
        while not self._stopping.is_set():
            self._heartbeats.beat(STAGE)
            try:
                if self._pass_over():
                    continue
                frame = self._camera.read()
            except CameraError as error:
                if self._stopping.is_set():
                    return False
                if not self._limits.reconnect:
                    raise
                self._trouble(str(error))
                return True
            if frame is None:
                return self._after_end()
            self._well()
            if not self._hand_over(frame):
                return False
        return False

    def _pass_over(self) -> bool:
        """While nobody may look: let a frame go by without making a picture of it. A file in real
        time is read all the same, since its frames hold the time; they are dropped below.
        """
        if self._wanted() or self._limits.real_time or not self._camera.skip():
            return False  # at the end, `read` says so too
        self._well()
        self.read += 1
        self.unwatched += 1
        self._next_seq += 1
        return True

    def _after_end(self) -> bool:
        if not (self._limits.reconnect and self._limits.endless):
            return False
        self._trouble("the camera ended its stream")
        return True

    def _hand_over(self, frame: Frame) -> bool:
        self.passed_by += frame.seq - self._next_seq
        self._next_seq = frame.seq + 1
        self.read += 1
        if self._limits.real_time:
            self._nap(self._pacer.wait_s(frame, self._clock.monotonic()))
        if not self._wanted():
            self.unwatched += 1
            wipe(frame.image)
            return True
        return self._mailbox.put(frame)


class _Pacer:
    """When a frame of a file is due, counted from the first one."""

    def __init__(self) -> None:
        self._offset: float | None = None

    def wait_s(self, frame: Frame, now: Monotonic) -> float:
        if self._offset is None:
            self._offset = now - frame.at
        return max(0.0, frame.at + self._offset - now)
