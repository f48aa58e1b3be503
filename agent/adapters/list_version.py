"""What galleries of one list share beside its segments."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from agent.config import WatchlistConfig
from agent.values import WatchlistRef
from agent.watchlist.columns import Columns, Ids


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Numbers of the subjects.

    Attributes:
        ids: (p,) ascending.
        numbers: (p,) of each.
    """

    ids: Ids
    numbers: npt.NDArray[np.int32]

    @staticmethod
    def of(columns: Columns) -> tuple[People, npt.NDArray[np.int32]]:
        """With the number of each entry's subject."""
        ids, person = np.unique(columns.subject, return_inverse=True)
        return People(ids, np.arange(len(ids), dtype=np.int32)), person.astype(np.int32)

    def joined(self, columns: Columns) -> tuple[People, npt.NDArray[np.int32]]:
        """With those of further columns, whose numbers are given."""
        ids, person = np.unique(columns.subject, return_inverse=True)
        place = np.minimum(np.searchsorted(self.ids, ids), max(len(self.ids) - 1, 0))
        known = self.ids[place] == ids if len(self.ids) else np.zeros(len(ids), np.bool_)
        numbers = np.empty(len(ids), np.int32)
        numbers[known] = self.numbers[place[known]]
        numbers[~known] = len(self.ids) + np.arange(np.count_nonzero(~known))
        every = np.concatenate([self.ids, ids[~known]])
        order = np.argsort(every)
        people = People(every[order], np.concatenate([self.numbers, numbers[~known]])[order])
        return people, numbers[person]


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """Version of the list, the subjects on it, and how to search it.

    Attributes:
        tried: ways tried to the end on the vectors of the first segment; clones share it.
    """

    ref: WatchlistRef
    space: str
    people: People
    config: WatchlistConfig
    threads: int
    tried: set[str] = field(default_factory=set)
