"""The latest time a device has known: a clock set back must not give an expired list new life."""

from __future__ import annotations

import threading
from typing import Final

from agent.adapters.sealed_catalogue import Catalogue
from agent.errors import RefusedError
from agent.messages import iso_utc
from agent.values import Wall
from agent.watchlist.arrival import CLOCK_TOLERANCE_S

KEEP_EVERY_S: Final = 30.0
"""It is written to disk at most so often: what a restart may lose of it."""


class HighWater:
    """Kept in the catalogue.

    Args:
        catalogue: open.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._lock = threading.Lock()
        self._kept = self._value = catalogue.marks().high_water

    @property
    def value(self) -> Wall:
        """Wall seconds; 0 at first."""
        return Wall(self._value)

    def note(self, now: Wall) -> None:
        """Raise it to now.

        Raises:
            RefusedError: the clock is more than `CLOCK_TOLERANCE_S` behind it.
            DiskError: it cannot be kept.
        """
        with self._lock:  # no disk in here: whoever waits would come with an old time
            self.require(now)
            self._value = max(self._value, now)
            kept, due = self._kept, self._value - self._kept >= KEEP_EVERY_S
            if due:
                self._kept = self._value
        if due:
            self._keep(before=kept)

    def require(self, now: Wall) -> None:
        """The same without raising it: for a time that is not the clock's own."""
        if now < self._value - CLOCK_TOLERANCE_S:
            raise RefusedError(
                f"the clock is wrong: it says {iso_utc(now)}, but it was "
                f"{iso_utc(self._value)} here before; set it right"
            )

    def _keep(self, before: float) -> None:
        try:
            self._catalogue.raise_high_water(self._kept)
        except BaseException:
            self._kept = before
            raise
