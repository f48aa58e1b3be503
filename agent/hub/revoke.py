"""Entries that must go at once: nothing of them stays in what is published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.errors import UsageError
from agent.hub.changes import Mask, chosen
from agent.hub.present import Present
from agent.hub.version import Order
from agent.watchlist.columns import Columns
from agent.watchlist.sharding import Rewrite

_AT_LEAST_S = 1.0


@dataclass(frozen=True, slots=True)
class Revocation:
    """Composes a version without some entries. Shards that held them are written again under new
    keys, and their old ciphertext is deleted; the end of the list stays as it was.

    Attributes:
        now: wall seconds.
        entries, subjects, authorisations: ids; every entry that has one of them goes.
        all: every entry goes.
    """

    now: float
    entries: Sequence[str] = ()
    subjects: Sequence[str] = ()
    authorisations: Sequence[str] = ()
    all: bool = False

    def __call__(self, present: Present) -> Order:
        columns = present.stored.columns
        if not present.stored.version:
            raise UsageError("the list was never published: there is nothing to revoke")
        gone = self._gone(columns)
        names = columns.entry[gone]
        touched = frozenset(
            placed.ref.name for placed in present.layout if np.isin(placed.entry, names).any()
        )
        return Order(
            columns.take(~gone),
            present.stored.space,
            max(present.not_after, self.now + _AT_LEAST_S),
            Rewrite(self.all, removed=False, shards=touched),
            command="revoke",
            destroy=True,
        )

    def _gone(self, columns: Columns) -> Mask:
        if self.all:
            return np.ones(len(columns), np.bool_)
        return chosen(
            columns,
            entries=self.entries,
            subjects=self.subjects,
            authorisations=self.authorisations,
        )
