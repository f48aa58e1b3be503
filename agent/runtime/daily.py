"""A brake on following one person about: so many events about a subject within 24 hours.

What was told is on disk with the event itself, so that neither a restart nor a new activation
begins to count anew. Twenty-four hours back from now, and not a calendar day, so that midnight
doubles nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from agent.errors import BodycamError
from agent.ports import Clock
from agent.values import Monotonic, Wall

DAY_S: Final = 86_400.0


class Daily:
    """Counts events by subject. For the pipeline's thread.

    Args:
        key: the prefix under which the outbox counts a subject; raises RefusedError while locked.
        told: what it holds under such a prefix: event id to (id, wall seconds).
        clock: wall time.

    Attributes:
        most: of the policy; 0: as many as there are.
        held_back: events that were not raised for it.
    """

    def __init__(
        self,
        key: Callable[[str], str],
        told: Callable[[str], Mapping[str, tuple[str, Monotonic]]],
        clock: Clock,
    ) -> None:
        self._key = key
        self._told = told
        self._clock = clock
        self._coming: dict[str, int] = {}
        self.most = 0
        self.held_back = 0

    def is_full(self, subject: str) -> bool:
        """Whether nothing more may be told about somebody today. What cannot be counted is full.

        To be asked once for each event: until it is marked, it counts as coming.
        """
        if not self.most:
            return False
        coming = self._coming.get(subject, 0)
        now = self._clock.wall()
        try:
            times = [at for _, at in self._told(self._key(subject)).values()]
        except BodycamError:
            full = True
        else:
            full = coming + sum(at > now - DAY_S for at in times) >= self.most
        if full:
            self.held_back += 1
        else:
            self._coming[subject] = coming + 1
        return full

    def mark(self, subject: str) -> tuple[str, Wall] | None:
        """What is to be committed with an event; None where nothing is counted."""
        self._coming.pop(subject, None)
        return (self._key(subject), self._clock.wall()) if self.most else None
