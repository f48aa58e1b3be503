"""Whether a quick way of searching finds what exact search finds, measured on this device.

Templates that look for themselves are found by anything. So sampled templates are turned to the
similarity at which thresholds lie, and what exact search says of them is the answer key.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from agent.adapters.bit_planes import Plane
from agent.values import F32, Vectors

AGREEMENT = 0.999
"""Least share of noisy probes whose best template must be the one that exact search gives."""
FLOOR = 0.4
"""Probes whose best template is less alike than this do not count: no threshold is lower."""
PROBES = 2000
NOISE = (0.5, 0.6)
"""Similarity of a noisy probe to its template: where thresholds lie, and few pictures of one
person fall below."""
TIE = 1e-6
_SEED = 673
_BLOCK = 50
_ROWS, _ASKED = 1 << 14, 250

Rows = npt.NDArray[np.intp]
GoOn = Callable[[], bool]
Timer = Callable[[], float]


class Finder(Protocol):
    """A quick way to the rows that may be the most alike."""

    def near(self, probe: F32, alive: Plane | None = None) -> Rows | None:
        """Rows worth comparing exactly, of those alive; None when it cannot tell."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What the comparison with exact search showed.

    Attributes:
        way: what was tried.
        agreement: share of the probes over `FLOOR` whose best template was found; of those asked
            until it was clear that too many were missed.
        probes: how many that were.
        ms: CPU time of one probe.
        exact_ms: of one probe through exact search.
    """

    way: str
    agreement: float
    probes: int
    ms: float
    exact_ms: float

    @property
    def agrees(self) -> bool:
        return self.agreement >= AGREEMENT

    @property
    def won(self) -> bool:
        """It finds the same for less."""
        return self.agrees and self.ms < self.exact_ms

    def __str__(self) -> str:
        said = (
            f"{self.way} finds the best of {self.agreement:.2%} of {self.probes} noisy probes "
            f"in {self.ms:.2f} ms each, exact search takes {self.exact_ms:.2f} ms"
        )
        return f"searched by {said}" if self.won else f"searched exactly: {said}"


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """Noisy probes and what exact search says of them.

    Attributes:
        vectors: (n, dim) templates.
        probes: (p, dim) those whose best template is over `FLOOR`.
        rows: (p,) their best templates.
        best: (p,) how much these are alike.
        timer: seconds; the CPU time of the thread, which others on the device do not lengthen.
        go_on: false ends what is under way.
    """

    vectors: Vectors
    probes: Vectors
    rows: Rows
    best: F32
    timer: Timer
    go_on: GoOn

    @staticmethod
    def of(
        vectors: Vectors, *, go_on: GoOn = lambda: True, timer: Timer = time.thread_time
    ) -> Exam | None:
        """None when it was not to go on."""
        probes = noisy_probes(vectors, PROBES)
        found = best_rows(vectors, probes, go_on)
        if found is None:
            return None
        best = np.einsum("ij,ij->i", vectors[found], probes)
        over = best > FLOOR
        return Exam(vectors, probes[over], found[over], best[over], timer, go_on)

    def take(self, finder: Finder, way: str) -> Trial | None:
        """Ends as soon as more are missed than all may be; None when it was not to go on."""
        allowed = (1 - AGREEMENT) * len(self.probes)
        missed, done, seconds = 0, 0, 0.0
        while done < len(self.probes) and missed <= allowed:
            if not self.go_on():
                return None
            began = self.timer()
            for at in range(done, min(done + _BLOCK, len(self.probes))):
                missed += self._missed(finder, at)
            seconds += self.timer() - began
            done = min(done + _BLOCK, len(self.probes))
        agreement, ms = 1 - missed / max(done, 1), 1000 * seconds / max(done, 1)
        return Trial(way, agreement, done, ms, self._exact_ms())

    def _missed(self, finder: Finder, at: int) -> bool:
        rows = finder.near(self.probes[at])
        if rows is None or not len(rows):
            return True
        scores = np.einsum("kd,d->k", self.vectors[rows], self.probes[at])
        return bool(scores.max() < self.best[at] - TIE)

    def _exact_ms(self) -> float:
        times = []
        for probe in self.probes[:5]:
            began = self.timer()
            (self.vectors @ probe).argmax()
            times.append(self.timer() - began)
        return 1000 * sorted(times)[len(times) // 2] if times else 0.0


def noisy_probes(vectors: Vectors, count: int) -> Vectors:
    """(count, dim) unit vectors, each at a similarity within `NOISE` to a template of its own.

    The same vectors give the same probes.
    """
    return noisy(vectors, count)[1]


def noisy(vectors: Vectors, count: int) -> tuple[Rows, Vectors]:
    """The same, at most one for each template, after the rows of their own templates."""
    rng = np.random.default_rng(_SEED)
    rows = rng.choice(len(vectors), min(count, len(vectors)), replace=False)
    known = vectors[rows]
    alike = rng.uniform(*NOISE, (len(rows), 1)).astype(np.float32)
    noise = rng.standard_normal(known.shape, dtype=np.float32)
    noise -= np.einsum("ij,ij->i", noise, known)[:, None] * known
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    made = alike * known + np.sqrt(1 - alike**2) * noise
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return rows, np.ascontiguousarray(made, np.float32)


def best_rows(vectors: Vectors, asked: Vectors, go_on: GoOn = lambda: True) -> Rows | None:
    """(n,) the best template of each probe; None when it was not to go on.

    Works on 16 MB at a time, however long the list is.
    """
    rows = np.zeros(len(asked), np.intp)
    for first in range(0, len(asked), _ASKED):
        block = asked[first : first + _ASKED]
        best = np.full(len(block), -np.inf, np.float32)
        for start in range(0, len(vectors), _ROWS):
            if not go_on():
                return None
            scores = block @ vectors[start : start + _ROWS].T
            top = scores.argmax(axis=1)
            score = scores[np.arange(len(block)), top]
            better = score > best
            best[better] = score[better]
            rows[first : first + len(block)][better] = start + top[better]
    return rows
