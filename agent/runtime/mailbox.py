"""The first hand-off: from the camera to the pipeline, and messages to the pipeline beside it.

For a live source one slot, where the newest frame wins and the one it displaces is counted: old
frames are worthless. For a file the same slot with back-pressure: nothing is dropped. Messages
(a new gallery, arm, disarm) queue, and are taken before the next frame. A frame that nobody will
look at is overwritten.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from agent.stages.wiping import wipe
from agent.values import Frame

MessageT = TypeVar("MessageT")


@dataclass(frozen=True, slots=True, eq=False)
class Delivery(Generic[MessageT]):
    """What a call of `take` found.

    Attributes:
        messages: in the order in which they were posted; to be applied before the frame.
        frame: the next one, if there is one.
        ended: no frame will ever come again.
    """

    messages: tuple[MessageT, ...]
    frame: Frame | None
    ended: bool


class Mailbox(Generic[MessageT]):
    """One slot for frames, a queue for messages, one reader.

    Args:
        live: newest frame wins; else `put` waits until the slot is free.
    """

    def __init__(self, *, live: bool) -> None:
        self.live = live
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._messages: deque[MessageT] = deque()
        self._ended = False
        self._closed = False
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Frames displaced by newer ones."""
        with self._changed:
            return self._dropped

    def put(self, frame: Frame) -> bool:
        """Hand over a frame; False when the mailbox was closed meanwhile."""
        with self._changed:
            if not self.live:
                self._changed.wait_for(lambda: self._frame is None or self._closed)
            if self._closed:
                wipe(frame.image)
                return False
            if self._frame is not None:
                self._dropped += 1
                wipe(self._frame.image)
            self._frame = frame
            self._changed.notify_all()
            return True

    def post(self, message: MessageT) -> None:
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()

    def end(self) -> None:
        """No frame will follow those already handed over."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def close(self) -> None:
        """Stop: the waiting frame is let go, and nobody waits any longer."""
        with self._changed:
            self._closed = True
            self._ended = True
            if self._frame is not None:
                wipe(self._frame.image)
            self._frame = None
            self._changed.notify_all()

    def take(self, timeout_s: float) -> Delivery[MessageT]:
        """Wait up to `timeout_s` for messages, a frame or the end."""
        with self._changed:
            self._changed.wait_for(self._something, timeout_s)
            messages = tuple(self._messages)
            self._messages.clear()
            frame, self._frame = self._frame, None
            self._changed.notify_all()
            return Delivery(messages, frame, self._ended and frame is None)

    def _something(self) -> bool:
        return bool(self._messages) or self._frame is not None or self._ended
