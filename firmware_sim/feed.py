"""The hand-off from the player to those who watch."""

from __future__ import annotations

import threading
from collections.abc import Callable

from firmware_sim.player import StreamPart

_POLL_S = 0.2  # how soon a stop is noticed


class Feed:
    """The newest part of the stream, and who has had it.

    Args:
        lockstep: one viewer only, and nothing goes on before it has had each part. Otherwise any
            number of viewers, each given the newest part when it asks: slow ones miss some.
        stop: set when all shall end at once.
    """

    def __init__(self, stop: threading.Event, *, lockstep: bool) -> None:
        self.lockstep = lockstep
        self._stop = stop
        self._changed = threading.Condition()
        self._part: StreamPart | None = None
        self._number = 0
        self._sent = 0
        self._viewers = 0
        self._over = False
        self._on = True
        self._hang_ups = 0

    def publish(self, part: StreamPart) -> bool:
        """Show the next part; False when stopped. In lockstep, returns when it has been sent."""
        with self._changed:
            self._part = part
            self._number += 1
            self._changed.notify_all()
            if self.lockstep:
                self._wait(lambda: self._sent == self._number)
        return not self._stop.is_set()

    def finish(self) -> None:
        """No part will follow."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def wait_for_viewer(self) -> bool:
        """Wait until somebody watches; False when stopped."""
        with self._changed:
            return self._wait(lambda: self._viewers > 0)

    def wait_for_farewell(self, timeout_s: float | None) -> None:
        """Wait until nobody watches any more, at most `timeout_s` seconds."""
        with self._changed:
            self._wait(lambda: self._viewers == 0, timeout_s)

    def hang_up(self) -> None:
        """Cut off everybody who watches, as a camera does that starts again."""
        with self._changed:
            self._hang_ups += 1
            self._changed.notify_all()

    def switch(self, *, on: bool) -> None:
        """Off: everybody is cut off, and nobody may come; on: they may again."""
        with self._changed:
            self._on = on
            self._hang_ups += not on
            self._changed.notify_all()

    def snapshot(self) -> StreamPart | None:
        with self._changed:
            return self._part if self._on else None

    def state(self) -> dict[str, object]:
        """For /healthz."""
        with self._changed:
            state = "over" if self._over else "playing" if self._number else "waiting"
            state = state if self._on else "off"
            return {"state": state, "frames": self._number, "viewers": self._viewers}

    def join(self) -> Viewer | None:
        """Begin to watch; None when there is no room."""
        with self._changed:
            if not self._on or (self.lockstep and self._viewers):
                return None
            self._viewers += 1
            self._changed.notify_all()
            return Viewer(self, self._sent if self.lockstep else self._number, self._hang_ups)

    def leave(self) -> None:
        with self._changed:
            self._viewers -= 1
            self._changed.notify_all()

    def after(self, number: int, hang_ups: int) -> tuple[StreamPart, int] | None:
        """Wait for a part later than `number`; None when the stream is over, stopped or cut."""
        with self._changed:
            self._wait(lambda: self._number > number or self._over or self._hang_ups > hang_ups)
            if (
                self._hang_ups > hang_ups
                or self._stop.is_set()
                or self._part is None
                or self._number <= number
            ):
                return None
            return self._part, self._number

    def sent(self, number: int) -> None:
        with self._changed:
            self._sent = number
            self._changed.notify_all()

    def broken(self, hang_ups: int) -> bool:
        """Whether who joined after so many hang-ups was cut off, or all was stopped."""
        with self._changed:
            return self._stop.is_set() or self._hang_ups > hang_ups

    def _wait(self, ready: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait for `ready`, a stop or the timeout; whether it is ready."""
        naps = None if timeout_s is None else round(timeout_s / _POLL_S)
        while not (ready() or self._stop.is_set()) and naps != 0:
            self._changed.wait(_POLL_S)
            naps = None if naps is None else naps - 1
        return ready()


class Viewer:
    """One who watches, from the next part on."""

    def __init__(self, feed: Feed, number: int, hang_ups: int) -> None:
        self._feed = feed
        self._hang_ups = hang_ups
        self._number = number
        self._shown = number

    def next(self) -> StreamPart | None:
        """The next part to send, or None: over, stopped, or cut off."""
        found = self._feed.after(self._number, self._hang_ups)
        if found is None:
            return None
        part, self._shown = found
        return part

    def sent(self) -> None:
        """The part given last is on its way; one that is not will be given to another viewer."""
        self._number = self._shown
        self._feed.sent(self._number)

    @property
    def cut_off(self) -> bool:
        """The end that it saw was no proper one."""
        return self._feed.broken(self._hang_ups)

    def leave(self) -> None:
        self._feed.leave()
