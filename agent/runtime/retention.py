"""Nothing of an alert stays here longer than the policy lets the agency keep it.

What the hub acknowledged is gone at once. This is about the rest: what nobody fetched, what was
refused, what a damaged outbox left behind, and the marks that alerts leave. What is given up so is
told in a gap event, as every loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from agent.ports import Clock, Outbox
from agent.ports.log import Log
from agent.runtime.surroundings import Ledger
from agent.values import Monotonic, Wall

_DAY_S: Final = 86_400.0
_EVERY_S: Final = 60.0


class Retention:
    """`upkeep` is to be called every few seconds, from one thread.

    Args:
        outbox: of alerts.
        days: of the policy in force; None: it is not known, and nothing is deleted.
        ledger, clock, log: as everywhere.
    """

    def __init__(
        self,
        outbox: Outbox,
        days: Callable[[], float | None],
        *,
        ledger: Ledger,
        clock: Clock,
        log: Log,
    ) -> None:
        self._outbox = outbox
        self._days = days
        self._ledger = ledger
        self._clock = clock
        self._log = log
        self._next = Monotonic(-math.inf)

    def upkeep(self) -> None:
        """Delete what is due.

        Raises:
            DiskError: it cannot be, or cannot be recorded.
        """
        now, days = self._clock.monotonic(), self._days()
        if days is None or now < self._next:
            return
        self._next = Monotonic(now + _EVERY_S)
        wall, keep_s = self._clock.wall(), days * _DAY_S
        gone = self._outbox.expire(
            put_before=Monotonic(now - keep_s), created_before=Wall(wall - keep_s)
        )
        # marks brake on following somebody for a day, and hold no alert
        files = self._outbox.forget_old(Wall(wall - max(keep_s, _DAY_S)))
        if gone or files:
            self._ledger.append("purge", events=gone, days=math.ceil(days))
            self._log.warning("alerts are no longer kept", dropped=gone, reason="retention")
