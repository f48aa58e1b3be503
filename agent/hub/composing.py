"""What the next version of a list holds: the present one, what was gathered, and what goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from agent.errors import DataError, RefusedError, UsageError
from agent.hub.changes import Mask, chosen, difference, with_changes
from agent.hub.gather import Gathered
from agent.hub.near_duplicates import Found, near_duplicates
from agent.hub.photographs import by_reason
from agent.hub.present import Present
from agent.hub.progress import Progress, silent
from agent.hub.version import Order
from agent.messages.bundle import MAX_SHARD
from agent.watchlist.columns import Columns
from agent.watchlist.sharding import SMALL, Placed, Rewrite


@dataclass
class Composer:
    """Composes the order for a version; it may be asked again when another came between.

    Attributes:
        not_after: end of the list, wall seconds.
        gathered: new entries; None without.
        whole: they are the whole list; else they are added, and replace those of the same id.
        entries, subjects: ids to remove.
        compact: write shards with removed rows, and small ones, again.
        rekey: write every shard again.
        least: similarity from which on different subjects are reported; None not to look.
        progress: told how far it is.
        found: near-duplicates, after the last composition.
    """

    not_after: float
    gathered: Gathered | None = None
    whole: bool = False
    entries: Sequence[str] = ()
    subjects: Sequence[str] = ()
    compact: bool = False
    rekey: bool = False
    least: float | None = None
    progress: Progress = silent
    found: Found | None = field(default=None, init=False)

    def __call__(self, present: Present) -> Order:
        columns, space = self._columns(present)
        self.found = self._near_duplicates(present.stored.columns, columns)
        enrolment = self.gathered.enrolment if self.gathered else None
        return Order(
            columns,
            space,
            self.not_after,
            self._rewrite(present.layout),
            photos=self.gathered.photos if self.gathered else (),
            rejected=by_reason(enrolment.rejected) if enrolment else {},
            duplicates=self.found.count if self.found else None,
        )

    def _columns(self, present: Present) -> tuple[Columns, str]:
        old, new = present.stored, self.gathered
        if new is not None and self.whole:
            if new.columns is None:
                raise _nothing(new)
            return new.columns, new.space
        if not present.stored.version and new is None:
            raise UsageError("the list is new: say what it holds, with --photos or --vectors")
        gone = chosen(old.columns, entries=self.entries, subjects=self.subjects)
        kept = old.columns.take(~gone)
        if new is None or new.columns is None:
            return kept, old.space
        if len(kept) and new.space != old.space:
            raise DataError(
                f"the list holds templates of {old.space!r}, these are of {new.space!r}: make all "
                "of it anew with --photos"
            )
        return with_changes(kept, new.columns), new.space

    def _near_duplicates(self, old: Columns, columns: Columns) -> Found | None:
        if self.least is None or self.gathered is None or not len(columns):
            return None
        return near_duplicates(
            columns,
            _new(old, columns),
            least=self.least,
            progress=lambda done, total: self.progress("comparing subjects", done, total),
        )

    def _rewrite(self, layout: Sequence[Placed]) -> Rewrite:
        small = (one.ref.name for one in layout if one.ref.length < SMALL * MAX_SHARD)
        names = frozenset(small) if self.compact else frozenset()
        return Rewrite(self.rekey, self.compact, names if len(names) > 1 else frozenset())


def _nothing(new: Gathered) -> DataError | RefusedError:
    """Why a whole list would be empty."""
    over = f"the time (not_after) of {new.over} entries is over"
    rejected = by_reason(new.enrolment.rejected) if new.enrolment else {}
    if not rejected:
        return RefusedError(f"nothing to publish: {over}")
    why = ", ".join(f"{count} {one.replace('_', ' ')}" for one, count in sorted(rejected.items()))
    bad = f"no photograph was good enough ({why})"
    return DataError(
        f"nothing to publish: {f'{over}, and of the others ' if new.over else ''}{bad}"
    )


def _new(old: Columns, columns: Columns) -> Mask:
    """(n,) entries that were not there before, or not like that."""
    changed = difference(old, columns)
    names = [one.encode("ascii") for one in (*changed.added, *changed.replaced)]
    return np.asarray(np.isin(columns.entry, np.array(names, np.bytes_)), np.bool_)
