"""The running monitor of false alerts: counts who passes, hears of reviews, says when to stop.

Counts go to disk with every alert and every review, and else once a minute: what a crash loses is
subjects of a minute, and fewer subjects are a stricter test.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from agent.errors import BodycamError, DiskError
from agent.policy.fpir_monitor import FpirCounts, Outcome, Sprt, exceeded
from agent.ports import Clock
from agent.ports.log import Log

_SAVE_EVERY_S: Final = 60.0


class CountsKeeper(Protocol):
    """Where the counts are kept."""

    def load(self) -> tuple[FpirCounts, str]: ...

    def save(self, counts: FpirCounts, crossed: str) -> None: ...


class FpirWatch:
    """For any thread. Once it has said stop, only `reset` takes that back.

    Args:
        sprt: gives the test now, from the policy in force.
        fragmentation: tracks per subject, at least 1.
        keeper: of the counts. Counts that cannot be read forbid matching: when in doubt, disarm.
        clock: monotonic.
        log: told of a disk that fails.
    """

    def __init__(
        self,
        sprt: Callable[[], Sprt],
        fragmentation: float,
        keeper: CountsKeeper,
        *,
        clock: Clock,
        log: Log,
    ) -> None:
        self._sprt = sprt
        self._fragmentation = fragmentation
        self._keeper = keeper
        self._clock = clock
        self._log = log
        self._lock = threading.Lock()
        self._saved = clock.monotonic()
        self._dirty = False
        try:
            self._counts, self._crossed = keeper.load()
        except BodycamError as error:
            self._counts = FpirCounts()
            self._crossed = f"counts of false alerts cannot be read ({error}); reset the monitor"

    @property
    def counts(self) -> FpirCounts:
        with self._lock:
            return self._counts

    def exceeded(self) -> str | None:
        """Why nothing may be matched, in one line; None while the target is kept."""
        return self._crossed or None

    def seen(self, tracks: int) -> None:
        """So many more tracks were long enough, with enough shots, to count as subjects."""
        if tracks:
            with self._lock:
                self._counts = self._counts.seen(tracks)
                self._dirty = True

    def raised(self, event: str) -> None:
        """An alert is about to be raised (no update, no test)."""
        with self._lock:
            self._counts = self._counts.with_raised(event)
            self._save()

    def reviewed(self, events: Sequence[str], outcome: Outcome) -> tuple[str, ...]:
        """Reviewers decided. The alerts of this device of which that is news."""
        news = []
        with self._lock:
            for event in events:
                after = self._counts.with_review(event, outcome)
                if after is not self._counts:
                    self._counts = after
                    news.append(event)
            if news:
                self._judge()
                self._save()
        return tuple(news)

    def reset(self) -> None:
        """Begin anew, at the agency's word.

        Raises:
            DiskError: that cannot be kept; nothing has changed.
        """
        with self._lock:
            self._keeper.save(FpirCounts(), "")
            self._counts, self._crossed, self._dirty = FpirCounts(), "", False

    def upkeep(self) -> None:
        """Now and then: keep what was counted."""
        with self._lock:
            if self._dirty and self._clock.monotonic() - self._saved >= _SAVE_EVERY_S:
                self._save()

    def close(self) -> None:
        """Keep what was counted."""
        with self._lock:
            if self._dirty:
                self._save()

    def _judge(self) -> None:
        if not self._crossed:
            self._crossed = exceeded(self._counts, self._sprt(), self._fragmentation) or ""

    def _save(self) -> None:
        """A disk that fails must cost no alert; what is counted is still in memory."""
        self._saved, self._dirty = self._clock.monotonic(), True
        try:
            self._keeper.save(self._counts, self._crossed)
            self._dirty = False
        except DiskError as error:
            self._log.error("counts of false alerts are not kept", reason=str(error))
