"""A long list as sign bits: which few rows may be the ones most alike, in less than a millisecond.

The list is whitened along its principal axes and turned four ways; only the side of the mean is
kept of each coordinate: one bit, 64 rows to a word, a plane for each of four times as many
directions as there are dimensions. A probe takes those few of them that it lies along most closely
and gives each one vote. The votes for all rows are counted bit-sliced (`bit_planes`); rows with
enough of them are looked at again with eight bits of the first axes, and what remains is for the
caller to compare exactly.

Sign bits of a turned Gaussian keep 2/pi of what an axis tells (Charikar 2002; Gong, Lazebnik et al.
2013, ITQ). A probe lies 2 standard deviations along the best 63 of 512 directions, 1.3 along the
better half of 128: that makes up for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.adapters.bit_planes import Bits, Plane, at_least, packed, rows_of, words
from agent.adapters.search_trial import Exam, GoOn, Rows, Trial, noisy
from agent.stages.wiping import wipe
from agent.values import F32, Vectors

TURNS = 4
"""Orthonormal bases whose directions may be chosen from."""
VOTES = 63
"""Directions that a probe chooses. Fewer leave more rows to look at again."""
LOOKED_AT_AXES = 96
"""Kept with eight bits too."""
KEPT = 96
"""Rows left for the caller to compare exactly. Of 2,000 best ones the last was the twelfth of them;
the others are for people with many pictures."""
ASKED = 20_000
"""Noisy probes that say how many votes are enough. More than are in the exam, as those that matter
are few of them."""
MISSED = 0.0004
"""Share of these whose own row may fail to be looked at; `AGREEMENT` allows over twice that."""
BLOCK = 1 << 14
_AT_ONCE = 1000
_REACH = 4.5
"""Coordinates beyond so many standard deviations are cut off in eight bits."""
_FLAT = 0.02
"""Axes along which the list varies less than this, against the most, are not stretched further."""
_SEED = 128


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Parts:
    """What a sketch is made of, for (n, dim) vectors.

    Attributes:
        mean: (dim,) of the vectors.
        probed, listed: (dim, TURNS * dim) turn a probe, and a row less the mean.
        near: (n, axes) eight bits of the first axes.
        planes: (TURNS * dim, words) the side of the mean on which each row lies.
    """

    mean: F32
    probed: F32
    listed: F32
    near: npt.NDArray[np.int8]
    planes: npt.NDArray[np.uint64]


class Sketch:
    """Of (n, dim) vectors; safe to search from several threads.

    Attributes:
        parts: never changed.
        least: votes that a row must have to be looked at; the fewer, the more are found and the
            longer it takes. Set before it is shared.
        count: rows.
    """

    def __init__(self, parts: Parts, least: int) -> None:
        self.parts, self.least = parts, least
        self.count = len(parts.near)
        self._mean, self._probed, self._listed = parts.mean, parts.probed, parts.listed
        self._near = parts.near
        self._votes = min(VOTES, len(parts.planes))
        self._planes: list[Plane] = list(parts.planes)
        self._buffers: list[list[Plane]] = []

    @staticmethod
    def of(vectors: Vectors, go_on: GoOn = lambda: True) -> Sketch | None:
        """Built block by block: what it needs beside itself does not grow with the list.

        Args:
            vectors: n at least 1, left as they are.
            go_on: asked now and then; False gives up.
        """
        count, dim = vectors.shape
        mean, basis, spread = _axes(vectors)
        turns = _turns(dim)
        listed = np.asarray((basis / spread) @ turns, np.float32)
        near = np.empty((count, min(dim, LOOKED_AT_AXES)), np.int8)
        planes = np.empty((TURNS * dim, words(count)), np.uint64)
        for start, block in _blocks(vectors):
            if not go_on():
                return None
            turned = (block - mean) @ listed
            planes[:, start // 64 : start // 64 + words(len(block))] = packed(turned > 0)
            coarse = np.rint(turned[:, : near.shape[1]] * (127 / _REACH))
            near[start : start + len(block)] = np.clip(coarse, -127, 127)
        probed = np.asarray((basis * spread) @ turns, np.float32)
        return Sketch(Parts(mean, probed, listed, near, planes), min(VOTES, TURNS * dim))

    def near(self, probe: F32, alive: Plane | None = None) -> Rows:
        """At most `KEPT` rows that may be the most alike, in no order.

        Args:
            probe: (dim,) unit length.
            alive: rows that may be found; None: all.
        """
        turned: F32 = probe @ self._probed
        try:
            plane = self._likely(turned)
            if alive is not None:
                plane &= alive
            rows = rows_of(plane)
            if len(rows) and rows[-1] >= self.count:
                rows = rows[: np.searchsorted(rows, self.count)]
            if len(rows) <= KEPT:
                return rows
            axes = turned[: self._near.shape[1]]
            scores = self._near.take(rows, axis=0).astype(np.float32) @ axes
            kept: Rows = rows[np.argpartition(scores, -KEPT)[-KEPT:]]
            return kept
        finally:
            wipe(turned)

    def _likely(self, turned: F32) -> Plane:
        """Rows with enough votes."""
        chosen = self._chosen(turned)
        ahead: Bits = turned.take(chosen) > 0
        yes = [self._planes[direction] for direction in chosen[ahead].tolist()]
        no = [self._planes[direction] for direction in chosen[~ahead].tolist()]
        spare = self._lent()
        plane = at_least(self.least, yes, no, spare)
        self._buffers.append(spare)
        wipe(chosen, ahead)
        return plane

    def _chosen(self, turned: F32) -> Rows:
        """(..., votes) the directions that a probe lies along most closely."""
        apart = np.abs(turned)
        chosen: Rows = np.argpartition(apart, -self._votes)[..., -self._votes :]
        wipe(apart)
        return chosen

    def _lent(self) -> list[Plane]:
        """Buffers that no other thread uses now."""
        try:
            return self._buffers.pop()
        except IndexError:
            return []

    def votes(self, probes: Vectors, rows: Vectors) -> npt.NDArray[np.intp]:
        """(n,) the votes that each of the (n, dim) rows has from its probe."""
        votes = np.empty(len(probes), np.intp)
        for start in range(0, len(probes), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            turned: F32 = probes[part] @ self._probed
            agree = ((rows[part] - self._mean) @ self._listed > 0) == (turned > 0)
            given = np.take_along_axis(agree, self._chosen(turned), axis=1)
            votes[part] = np.count_nonzero(given, axis=1)
        return votes


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
        np.maximum(spread, _FLAT * spread[0]).astype(np.float32),
    )


def _turns(dim: int) -> F32:
    """(dim, TURNS * dim) the axes themselves, then as many at random each turn, always the same."""
    rng = np.random.default_rng(_SEED)
    others = [np.linalg.qr(rng.standard_normal((dim, dim)))[0] for _ in range(TURNS - 1)]
    return np.concatenate([np.eye(dim), *others], axis=1).astype(np.float32)


def sketch_for(exam: Exam) -> tuple[Sketch, Trial] | None:
    """A sketch that looks as deep as the exam says it must; None when it was not to go on."""
    sketch = Sketch.of(exam.vectors, exam.go_on)
    if sketch is None:
        return None
    rows, probes = noisy(exam.vectors, ASKED)
    votes = np.sort(sketch.votes(probes, exam.vectors[rows]))
    sketch.least = int(votes[int(MISSED * len(votes))])
    while True:
        trial = exam.take(sketch, "sketch")
        if trial is None:
            return None
        if trial.agrees or trial.ms >= trial.exact_ms or not sketch.least:
            return sketch, trial
        sketch.least -= 1
