"""The thread that listens to the receiver of positions, and finds it again when it goes away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

from agent.errors import UnavailableError
from agent.ports import Clock
from agent.ports.log import Log
from agent.runtime.heartbeats import Heartbeats
from agent.values import Monotonic

STAGE: Final = "places"
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_BEAT_S: Final = 0.5


class Receiver(Protocol):
    """What is listened to."""

    def connect(self) -> None:
        """Raises: UnavailableError."""

    def receive(self) -> bool:
        """Take what has come; waits for a moment only. Whether there was a report.

        Raises: UnavailableError: it is lost.
        """

    def close(self) -> None: ...

    def status(self) -> dict[str, Any]: ...


class PlacesLoop:
    """Listens until stopped. A receiver that is away is normal: positions grow old by themselves.

    Args:
        receiver: used from this loop's thread only, but for `status`.
        clock, heartbeats, log: as everywhere.
        pause: sleeps so many seconds, or less when stopped; None: really.
    """

    def __init__(
        self,
        receiver: Receiver,
        *,
        clock: Clock,
        heartbeats: Heartbeats,
        log: Log,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._receiver = receiver
        self._clock = clock
        self._heartbeats = heartbeats
        self._log = log
        self._stopping = threading.Event()
        self._pause = pause or self._stopping.wait
        self._connected = False
        self._failures = 0
        self._told: set[str] = set()
        self._due = clock.monotonic()
        self._found = threading.Event()

    def found(self, timeout_s: float) -> bool:
        """Wait for the first position of this run; whether there was one. From any thread."""
        return self._found.wait(timeout_s)

    def stop(self) -> None:
        self._stopping.set()

    def status(self) -> dict[str, Any]:
        """For `ctl status`; from any thread."""
        return self._receiver.status()

    def run(self) -> None:
        """Until `stop`."""
        try:
            while not self._stopping.is_set():
                self.turn()
        finally:
            self._receiver.close()
            self._heartbeats.done(STAGE)

    def turn(self) -> None:
        """Listen for a moment, or connect if it is time to."""
        self._heartbeats.beat(STAGE)
        try:
            if self._connected:
                if self._receiver.receive():
                    self._heard()
            elif self._clock.monotonic() >= self._due:
                self._receiver.connect()
                self._connected = True
            else:
                self._pause(_BEAT_S)
        except UnavailableError as error:
            self._lost(str(error))

    def _heard(self) -> None:
        if self._failures:
            self._well()
        if not self._found.is_set() and self._receiver.status()["receiver"] == "fix":
            self._found.set()

    def _well(self) -> None:
        """It reports: one that only takes the call, or speaks of other things, is not well."""
        self._failures = 0
        self._told.clear()
        self._log.info("the receiver of positions is there again")

    def _lost(self, why: str) -> None:
        """Each reason is told once until there is something to hear again."""
        self._connected = False
        pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(self._failures, 10))
        self._failures += 1
        self._due = Monotonic(self._clock.monotonic() + pause)
        if why not in self._told:
            self._told.add(why)
            self._log.warning("no positions, will try again", reason=why)
