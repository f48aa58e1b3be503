"""A part of the list that is searched together: columns that never change, and who counts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from agent.adapters.bit_planes import Bits, Plane, packed
from agent.adapters.search_trial import Finder, Rows
from agent.values import F32, Vectors, Wall
from agent.watchlist.columns import Columns

_BLOCK = 1 << 22
_PAIR = 2
"""Fewer likely rows than the best and another are no answer."""


@dataclass(frozen=True, slots=True, eq=False)
class Alive:
    """Templates that may be found at a moment.

    Attributes:
        entries: (n,) those valid and still listed.
        dead: templates that are not alive, ascending.
        plane: the same as bits; None when all are alive.
        templates: how many are alive.
    """

    entries: Bits
    dead: Rows
    plane: Plane | None
    templates: int

    @staticmethod
    def of(columns: Columns, present: Bits, now: Wall) -> Alive:
        entries = present & columns.valid_at(now)
        rows = entries[columns.owner]
        dead = np.flatnonzero(~rows)
        plane = packed(rows[:, None])[0] if len(dead) else None
        return Alive(entries, dead, plane, len(rows) - len(dead))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Segment:
    """Immutable; clones share the arrays.

    Attributes:
        columns: entries and templates, alive or not.
        person: (n,) number of each entry's subject, over all segments.
        present: (n,) entries that are still listed.
        alive: what may be found now.
        finder: a quick way to likely rows that won its trial; None: searched exactly.
    """

    columns: Columns
    person: npt.NDArray[np.int32]
    present: Bits
    alive: Alive
    finder: Finder | None = None

    @staticmethod
    def of(columns: Columns, person: npt.NDArray[np.int32], now: Wall) -> Segment:
        present = np.ones(len(columns), np.bool_)
        return Segment(columns, person, present, Alive.of(columns, present, now))

    def at(self, now: Wall, present: Bits | None = None) -> Segment:
        """The same at another moment, or with fewer entries still listed."""
        listed = self.present if present is None else present
        return replace(self, present=listed, alive=Alive.of(self.columns, listed, now))

    def next_change(self, now: Wall) -> Wall | None:
        """When the next listed entry begins or ends; None without one."""
        columns, listed = self.columns, self.present
        begins, ends = columns.not_before[listed], columns.not_after[listed]
        later = np.concatenate([begins[(begins < ends) & (begins > now)], ends[ends > now]])
        return Wall(float(later.min())) if len(later) else None

    def gone(self, now: Wall) -> int:
        """Templates that will never count again."""
        kept = self.present & (self.columns.not_after > now)
        return int(np.count_nonzero(~kept[self.columns.owner]))

    def near(self, probes: Vectors, k: int) -> list[Rows]:
        """For each of (n, dim) probes the rows that may be the best ones."""
        if self.finder is None:
            return self.near_exactly(probes, k)
        return [self._quick(probe, k) for probe in probes]

    def _quick(self, probe: F32, k: int) -> Rows:
        rows = None if self.finder is None else self.finder.near(probe, self.alive.plane)
        if rows is None or len(rows) < min(_PAIR, self.alive.templates):
            return self.near_exactly(probe[None], k)[0]
        return rows

    def near_exactly(self, probes: Vectors, k: int) -> list[Rows]:
        """For each probe the best k rows alive, by a product with all, in no order."""
        k = min(k, self.alive.templates)
        if not k:
            return [np.zeros(0, np.intp) for _ in probes]
        found: list[Rows] = []
        step = max(1, _BLOCK // len(self.columns.owner))
        for start in range(0, len(probes), step):
            scores = probes[start : start + step] @ self.columns.vectors.T
            scores[:, self.alive.dead] = -np.inf
            found.extend(np.argpartition(scores, -k, axis=1)[:, -k:])
        return found

    def best_other(self, probe: F32, person: int) -> Rows:
        """The best row alive of anybody else, exactly; none when there is nobody else."""
        scores = self.columns.vectors @ probe
        scores[self.alive.dead] = -np.inf
        scores[self.person[self.columns.owner] == person] = -np.inf
        best = int(np.argmax(scores)) if len(scores) else 0
        return np.array([best] if len(scores) and scores[best] > -np.inf else [], np.intp)

    def scores(self, rows: Rows, probe: F32) -> F32:
        """(k,) float32 products, each summed by itself: independent of batch and neighbours."""
        products = np.einsum("kd,d->k", self.columns.vectors[rows], probe)
        scores: F32 = np.clip(products, -1.0, 1.0)
        return scores
