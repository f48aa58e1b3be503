"""A long list as sign bits: which few rows may be the ones most alike, in a millisecond.

The list is turned to its principal axes and only the side of the mean is kept of each coordinate:
one bit, 64 rows to a word, a plane for each axis. A probe weights the axes by how far it lies
along them times how much the list varies there: the nearer half counts nothing, most of the rest
once, the farthest twice. The weighted votes of all rows are summed bit-sliced (`bit_planes`); rows
with enough votes are looked at again with eight bits of the first axes, and what remains is for
the caller to compare exactly.

Sign bits of a turned Gaussian keep 2/pi of what an axis tells (Charikar 2002; Gong, Lazebnik et al.
2013, ITQ); choosing the axes for each probe makes half of them enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.adapters.bit_planes import Plane, Sum, packed, rows_of, words
from agent.adapters.search_trial import Exam, GoOn, Rows, Trial
from agent.stages.wiping import wipe
from agent.values import F32, Vectors

COUNTS_ONCE, COUNTS_TWICE = 0.7, 1.6
"""How far an axis tells apart, against the root mean square of all: from there it has one vote,
from there two. Fewer votes leave more rows to look at again: measured best for 300,000."""
LOOKED_AT_AXES = 96
"""Kept with eight bits too."""
KEPT = 96
"""Rows left for the caller to compare exactly."""
LIFT = 2.3
"""Standard deviations over the mean vote that a row must have, until `Sketch.lift` is set."""
MISSED = 0.0005
"""Share of noisy probes whose best row may fail to be looked at; `AGREEMENT` allows twice that."""
DEEPER = 0.25
"""Standard deviations by which it looks deeper when that was not deep enough."""
BLOCK = 1 << 14
_REACH = 4.5
"""Coordinates beyond so many standard deviations are cut off in eight bits."""


@dataclass(frozen=True, slots=True)
class _Votes:
    """What a probe says of the axes; wiped after use."""

    turned: F32
    weights: npt.NDArray[np.intp]

    @property
    def mean(self) -> float:
        return float(self.weights.sum()) / 2

    @property
    def spread(self) -> float:
        return float(np.sqrt(np.square(self.weights).sum())) / 2

    def wipe(self) -> None:
        wipe(self.turned, self.weights)


class Sketch:
    """Of (n, dim) vectors; safe to search from several threads.

    Attributes:
        lift: how many standard deviations over the mean vote a row must have to be looked at;
            the lower, the more are found and the longer it takes. Set before it is shared.
        count: rows.
    """

    def __init__(self, vectors: Vectors, go_on: GoOn = lambda: True) -> None:
        """Built block by block: what it needs beside itself does not grow with the list.

        Args:
            vectors: n at least 1, left as they are.
            go_on: asked now and then; False leaves it unfinished.
        """
        self.lift = LIFT
        self.count, dim = vectors.shape
        self._mean, self._basis, self._spread = _axes(vectors)
        self._step = float(_REACH * self._spread.max() / 127)
        self._near: npt.NDArray[np.int8] = np.empty((self.count, min(dim, LOOKED_AT_AXES)), np.int8)
        planes = np.empty((dim, words(self.count)), np.uint64)
        self.complete = False
        for start, block in _blocks(vectors):
            if not go_on():
                return
            turned = (block - self._mean) @ self._basis
            planes[:, start // 64 : start // 64 + words(len(block))] = packed(turned > 0)
            coarse = np.rint(turned[:, : self._near.shape[1]] / self._step)
            self._near[start : start + len(block)] = np.clip(coarse, -127, 127)
        self._planes: list[Plane] = list(planes)
        self._buffers: list[list[Plane]] = []
        self.complete = True

    def near(self, probe: F32, alive: Plane | None = None) -> Rows:
        """At most `KEPT` rows that may be the most alike, in no order.

        Args:
            probe: (dim,) unit length.
            alive: rows that may be found; None: all.
        """
        votes = self._votes(probe)
        try:
            spare = self._lent()
            least = max(0, int(np.ceil(votes.mean + self.lift * votes.spread)))
            plane = Sum(self._planes, votes.weights, votes.turned > 0, spare).at_least(least)
            self._buffers.append(spare)
            if alive is not None:
                plane &= alive
            rows = rows_of(plane)
            rows = rows[: np.searchsorted(rows, self.count)]
            if len(rows) <= KEPT:
                return rows
            axes = votes.turned[: self._near.shape[1]]
            scores = self._near.take(rows, axis=0).astype(np.float32) @ axes
            kept: Rows = rows[np.argpartition(scores, -KEPT)[-KEPT:]]
            return kept
        finally:
            votes.wipe()

    def _lent(self) -> list[Plane]:
        """Buffers that no other thread uses now."""
        try:
            return self._buffers.pop()
        except IndexError:
            return []

    def lifts(self, probes: Vectors, rows: Vectors) -> F32:
        """(n,) standard deviations that each (n, dim) row's vote for its probe is over the mean."""
        lifts = np.empty(len(probes), np.float32)
        signs = (rows - self._mean) @ self._basis > 0
        for at, probe in enumerate(probes):
            votes = self._votes(probe)
            vote = float(votes.weights[signs[at] == (votes.turned > 0)].sum())
            lifts[at] = (vote - votes.mean) / votes.spread
            votes.wipe()
        return lifts

    def _votes(self, probe: F32) -> _Votes:
        turned = probe @ self._basis
        tells = np.abs(turned * self._spread)
        tells /= np.sqrt(np.square(tells).mean())
        weights = (tells >= COUNTS_ONCE).astype(np.intp) + (tells >= COUNTS_TWICE)
        wipe(tells)
        return _Votes(turned, weights)


def _blocks(vectors: Vectors) -> Iterator[tuple[int, Vectors]]:
    for start in range(0, len(vectors), BLOCK):
        yield start, vectors[start : start + BLOCK]


def _axes(vectors: Vectors) -> tuple[F32, F32, F32]:
    """The mean, the principal axes as columns, and the standard deviation along each."""
    count, dim = vectors.shape
    total, products = np.zeros(dim), np.zeros((dim, dim))
    for _, block in _blocks(vectors):
        total += block.sum(axis=0, dtype=np.float64)
        products += block.T @ block
    mean = total / count
    variances, axes = np.linalg.eigh(products / count - np.outer(mean, mean))
    spread = np.sqrt(np.maximum(variances[::-1], 0.0)) + 1e-9
    return (
        mean.astype(np.float32),
        np.ascontiguousarray(axes[:, ::-1], np.float32),
        spread.astype(np.float32),
    )


def sketch_for(exam: Exam) -> tuple[Sketch, Trial] | None:
    """A sketch that looks as deep as the exam says it must; None when it was not to go on."""
    sketch = Sketch(exam.vectors, exam.go_on)
    if not sketch.complete:
        return None
    lifts = np.sort(sketch.lifts(exam.probes, exam.vectors[exam.rows]))
    if len(lifts):
        sketch.lift = float(lifts[int(MISSED * len(lifts))])
    while True:
        trial = exam.take(sketch, "sketch")
        if trial is None:
            return None
        if trial.agrees or trial.ms >= trial.exact_ms or sketch.lift < 0:
            return sketch, trial
        sketch.lift -= DEEPER
