"""What two versions of a list have in common, found over whole columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from agent.adapters.bit_planes import Bits
from agent.adapters.list_segment import Segment
from agent.watchlist.columns import Coded, Columns, Ids

_BLOCK = 1 << 14

Numbers = npt.NDArray[np.intp]


def compare(segments: Sequence[Segment], new: Columns) -> tuple[list[Bits], Bits]:
    """Which entries of each segment are listed in `new`, unchanged; and which of `new` are not
    among these. An entry is unchanged when its grounds, times and templates are the same.
    """
    order = np.argsort(new.entry)
    fresh = np.ones(len(new), np.bool_)
    kept: list[Bits] = []
    for segment in segments:
        rows = np.flatnonzero(segment.present)
        rows, at = _matched(segment.columns.entry, rows, new.entry, order)
        same = _same_meta(segment.columns, rows, new, at)
        rows, at = rows[same], at[same]
        same = _same_vectors(segment.columns, rows, new, at)
        mask = np.zeros(len(segment.columns), np.bool_)
        mask[rows[same]] = True
        fresh[at[same]] = False
        kept.append(mask)
    return kept, fresh


def _matched(old: Ids, rows: Numbers, new: Ids, order: Numbers) -> tuple[Numbers, Numbers]:
    """Rows of `old`, of those given, whose id is in `new`, and where."""
    if not len(new):
        return rows[:0], rows[:0]
    place = np.searchsorted(new, old[rows], sorter=order)
    at = order[np.minimum(place, len(new) - 1)]
    same = new[at] == old[rows]
    return rows[same], at[same]


def _same_meta(old: Columns, rows: Numbers, new: Columns, at: Numbers) -> Bits:
    same: Bits = old.subject[rows] == new.subject[at]
    for name in ("priority", "not_before", "not_after"):
        same &= getattr(old, name)[rows] == getattr(new, name)[at]
    for name in ("basis", "purpose", "authorisation"):
        same &= _same_code(getattr(old, name), rows, getattr(new, name), at)
    same &= _counts(old)[rows] == _counts(new)[at]
    return same


def _same_code(old: Coded, rows: Numbers, new: Coded, at: Numbers) -> Bits:
    index = {value: code for code, value in enumerate(new.values)}
    table = np.array([index.get(value, -1) for value in old.values], np.int32)
    same: Bits = table[old.codes[rows]] == new.codes[at]
    return same


def _counts(columns: Columns) -> Numbers:
    return np.bincount(columns.owner, minlength=len(columns))


def _same_vectors(old: Columns, rows: Numbers, new: Columns, at: Numbers) -> Bits:
    """For entries with as many templates: whether these are equal, a block at a time."""
    counts = _counts(old)
    first_old, first_new = np.cumsum(counts) - counts, np.searchsorted(new.owner, at)
    differs = np.zeros(len(rows), np.bool_)
    for start in range(0, len(rows), _BLOCK):
        part = slice(start, start + _BLOCK)
        many = counts[rows[part]]
        entry = np.repeat(np.arange(len(many)), many)
        within = np.arange(len(entry)) - np.repeat(np.cumsum(many) - many, many)
        left = old.vectors[first_old[rows[part]][entry] + within]
        right = new.vectors[first_new[part][entry] + within]
        differs[start + entry[(left != right).any(axis=1)]] = True
    return ~differs
