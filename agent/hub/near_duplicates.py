"""Templates of different subjects that look like one person: reported, never merged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from agent.stages.threshold import Curve, threshold_for
from agent.values import Vectors
from agent.watchlist.columns import Columns, text

FMR: Final = 1e-6
"""One pair of different people in a million is as similar: what is above deserves a look."""
MOST: Final = 10_000
"""Pairs that are named; the rest is counted."""
_ROWS, _COLUMNS = 1024, 4096


@dataclass(frozen=True, slots=True)
class Pair:
    """Two entries of different subjects.

    Attributes:
        entry, other: their ids.
        similarity: cosine of their most similar templates.
    """

    entry: str
    other: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a search for near-duplicates gave.

    Attributes:
        pairs: most similar first, at most `MOST`.
        count: how many pairs of entries there are in all.
        least: similarity from which on they count.
    """

    pairs: tuple[Pair, ...]
    count: int
    least: float


def default_similarity(curve: Curve) -> float:
    """The similarity that one in a million pairs of different people reaches."""
    return threshold_for(
        curve, target_fpir=FMR, templates=1, floor=0.0, extrapolate=True
    ).similarity


def near_duplicates(
    columns: Columns,
    asked: npt.NDArray[np.bool_],
    *,
    least: float,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Found:
    """Compare templates with all others, block by block, exactly.

    Args:
        columns: the whole list.
        asked: (n,) the entries that are new; pairs of two old ones are not looked for again.
        least: similarity from which on a pair is reported.
        progress: told (done, all) templates.
    """
    best: dict[tuple[int, int], float] = {}
    people = np.unique(columns.subject, return_inverse=True)[1]
    mine = np.flatnonzero(asked[columns.owner])
    for done, one, other, similarity in _hits(columns.vectors, mine, least):
        progress(done, len(mine))
        a, b = columns.owner[one], columns.owner[other]
        apart = people[a] != people[b]
        first, second = np.minimum(a, b)[apart].tolist(), np.maximum(a, b)[apart].tolist()
        for row, with_row, value in zip(first, second, similarity[apart].tolist(), strict=True):
            best[row, with_row] = max(value, best.get((row, with_row), -1.0))
    ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))
    pairs = (
        Pair(text(columns.entry[a]), text(columns.entry[b]), round(value, 4))
        for (a, b), value in ranked[:MOST]
    )
    return Found(tuple(pairs), len(best), least)


_Rows = npt.NDArray[np.intp]


def _hits(
    vectors: Vectors, mine: _Rows, least: float
) -> Iterator[tuple[int, _Rows, _Rows, npt.NDArray[np.float32]]]:
    """(templates done, row, other row, similarity): each pair at least once, none with itself."""
    whole = len(mine) == len(vectors)
    for start in range(0, len(mine), _ROWS):
        rows = mine[start : start + _ROWS]
        block = vectors[rows]
        for left in range(start - start % _COLUMNS if whole else 0, len(vectors), _COLUMNS):
            product = block @ vectors[left : left + _COLUMNS].T
            flat = np.flatnonzero(product.ravel() >= least)  # in one dimension numpy is quick
            at, to = np.divmod(flat, product.shape[1])
            one, other, similarity = rows[at], to + left, product.ravel()[flat]
            apart = one != other
            yield start + len(rows), one[apart], other[apart], similarity[apart]
