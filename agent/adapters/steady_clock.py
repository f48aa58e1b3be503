"""A wall clock that the device's own monotonic clock keeps from being held back."""

from __future__ import annotations

import threading

from agent.ports import Clock
from agent.values import Monotonic, Wall


class SteadyClock:
    """Wall time that never passes more slowly than monotonic time does.

    What expires by this clock expires on time though somebody sets the wall clock back. A jump
    forward is believed, for it can only make things expire sooner.

    Args:
        clock: the device's clocks.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wall, self._at = clock.wall(), clock.monotonic()

    def monotonic(self) -> Monotonic:
        return self._clock.monotonic()

    def wall(self) -> Wall:
        with self._lock:
            wall, at = self._clock.wall(), self._clock.monotonic()
            self._wall = Wall(max(wall, self._wall + (at - self._at)))
            self._at = at
            return self._wall
