"""What is so now: clocks, what vouches for them, place, and the monitor of false alerts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from agent.policy import Circumstances
from agent.policy.trusted_time import TimeSigns
from agent.ports import Clock
from agent.ports.places import Places
from agent.values import Monotonic

_SIGNS_EVERY_S: Final = 1.0


class Lookout:
    """Asked before every frame, so cheap. For the pipeline's thread.

    Args:
        clock: both times are read.
        signs: what speaks for the wall clock; asked once a second.
        places: a receiver of positions; None without one.
        fpir_exceeded: why the running monitor of false alerts forbids matching; None: it does not.
    """

    def __init__(
        self,
        clock: Clock,
        signs: Callable[[], TimeSigns],
        places: Places | None = None,
        fpir_exceeded: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._ask_signs = signs
        self._places = places
        self._fpir_exceeded = fpir_exceeded
        self._signs = TimeSigns()
        self._asked: Monotonic | None = None

    def here(self, list_id: str) -> Circumstances:
        """What is so now, while this list is in service."""
        fix = None if self._places is None else self._places.latest()
        now = self._clock.monotonic()  # after the fix: one from the future would count for none
        if self._asked is None or not 0 <= now - self._asked < _SIGNS_EVERY_S:
            self._signs, self._asked = self._ask_signs(), now
        return Circumstances(
            wall=self._clock.wall(),
            now=now,
            signs=self._signs,
            fix=fix,
            list_id=list_id,
            fpir=self._fpir_exceeded() or "",
        )
