"""Answers from the watchlist."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EntryRef:
    """Opaque ids of a watchlist entry; never a name."""

    entry: str
    subject: str
    authorisation: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One entry and its cosine similarity to the probe, exactly scored in float32."""

    ref: EntryRef
    similarity: float


@dataclass(frozen=True, slots=True)
class Candidates:
    """The best entry for a probe, and the best of any *other* subject.

    Attributes:
        best: None when the watchlist is empty.
        runner_up: None when no other subject is on the list.
    """

    best: Candidate | None
    runner_up: Candidate | None

    @property
    def margin(self) -> float:
        """Similarity of the best over the best other subject; 2.0 without a competitor."""
        if self.best is None:
            return 0.0
        if self.runner_up is None:
            return 2.0
        return self.best.similarity - self.runner_up.similarity
