"""The searchable watchlist."""

from __future__ import annotations

from typing import Protocol

from agent.values import Candidates, Vectors, WatchlistRef


class Gallery(Protocol):
    """An immutable, searchable version of the watchlist.

    A change of the list is a new Gallery, swapped between frames.
    """

    @property
    def ref(self) -> WatchlistRef: ...

    @property
    def subjects(self) -> int: ...

    @property
    def templates(self) -> int: ...

    def search(self, probes: Vectors) -> list[Candidates]:
        """For each row of (n, dim) unit probes, the best entry and the best other subject.

        Similarities are exact (float32 dot products), whatever found the candidates. A quick way
        of finding them may miss some, so that these are too low, never too high.
        """

    def confirm(self, probes: Vectors) -> list[Candidates]:
        """The same with nothing missed, in longer: for who is about to be named."""
