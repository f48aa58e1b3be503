"""An hnswlib graph over a long list, trusted only as far as this device measured it.

Built here from the vectors, never loaded: hnswlib's loader trusts what it reads (upstream issue
673). `graph_for` compares it with exact search on noisy probes and says what it is worth.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import hnswlib
import numpy as np
import numpy.typing as npt

from agent.config import WatchlistConfig
from agent.stages.wiping import wipe
from agent.values import F32, Vectors

M = 32
EF_CONSTRUCTION = 200
AGREEMENT = 0.999
"""Least share of noisy probes whose best template must be the one that exact search gives."""
FLOOR = 0.4
"""Probes whose best template is less alike than this do not count: no threshold is lower."""
PROBES = 2000
NOISE = (0.5, 0.6)
"""Similarity of a noisy probe to its template: where thresholds lie, and few pictures of one
person fall below. Templates that look for themselves are found by any graph."""
_SEED = 673
_BATCHES = (1, 2, 4, 8, 16)
_BLOCK = 50
_CHUNK = 256
_TIE = 1e-6

Rows = npt.NDArray[np.intp]
GoOn = Callable[[], bool]
Timer = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Trial:
    """What the comparison with exact search showed, on this device.

    Attributes:
        ef: breadth of the graph search that was tried last.
        agreement: share of the probes over `FLOOR` whose best template the graph found; of those
            asked until it was clear that too many were missed.
        probes: how many that were.
        graph_ms: CPU time of one probe through the graph.
        exact_ms: of one probe alone through exact search.
        batch: the graph is cheaper for as many probes at once; 0 when it never is, or misses
            too many.
    """

    ef: int
    agreement: float
    probes: int
    graph_ms: float
    exact_ms: float
    batch: int

    def __str__(self) -> str:
        said = (
            f"at ef {self.ef} the graph finds the best of {self.agreement:.2%} of "
            f"{self.probes} noisy probes in {self.graph_ms:.2f} ms each, "
            f"exact search takes {self.exact_ms:.2f} ms"
        )
        if not self.batch:
            return f"searched exactly: {said}"
        return f"searched by graph, up to {self.batch} probes at once: {said}"


class Graph:
    """hnswlib over templates moved by their mean and put back on the sphere.

    The order of q.(x - mean) over x is that of q.x, so that nothing is lost; what all templates
    have in common no longer makes a few of them everybody's neighbour.

    Args:
        vectors: (n, dim) unit templates.
        threads: for adding them; with one, the same vectors give the same graph.
        go_on: asked now and then; False leaves the graph unfinished.
    """

    def __init__(self, vectors: Vectors, *, threads: int, go_on: GoOn) -> None:
        count, dim = vectors.shape
        self._mean: F32 = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._index = hnswlib.Index(space="ip", dim=dim)
        self._index.init_index(
            max_elements=count, M=M, ef_construction=EF_CONSTRUCTION, random_seed=100
        )
        self.complete = False
        for start in range(0, count, _CHUNK):
            if not go_on():
                return
            rows = np.arange(start, min(start + _CHUNK, count))
            self._index.add_items(self._centred(vectors[rows]), rows, num_threads=threads)
        self.complete = True

    def widen(self, ef: int) -> None:
        """Set the breadth of the search."""
        self._index.set_ef(ef)

    def near(self, probes: Vectors, k: int) -> Rows | None:
        """(n, k) rows that may be the best ones; None when part of the graph is out of reach."""
        moved = self._centred(probes)
        try:
            labels, _ = self._index.knn_query(moved, k=k, num_threads=1)
        except RuntimeError:
            return None
        finally:
            wipe(moved)
        return np.asarray(labels, np.intp)

    def _centred(self, rows: Vectors) -> Vectors:
        moved: Vectors = np.subtract(rows, self._mean, dtype=np.float32)
        norms = np.linalg.norm(moved, axis=1, keepdims=True)
        np.divide(moved, norms, out=moved, where=norms > 0)
        return moved


def graph_for(
    vectors: Vectors,
    config: WatchlistConfig,
    *,
    threads: int,
    go_on: GoOn,
    timer: Timer = time.thread_time,
) -> tuple[Graph, Trial] | None:
    """A graph, as wide as it must be, and what it is worth; None when it was not to go on.

    The breadth grows from `config.ef_search` until the graph agrees with exact search, or costs
    more.

    Args:
        vectors: (n, dim) unit templates, n at least 1.
        config: breadth to begin with, and how many candidates are taken from the graph.
        threads: for building it.
        go_on: asked about every second; False gives up.
        timer: seconds; by default the CPU time of this thread, which others on the device do
            not lengthen.
    """
    graph = Graph(vectors, threads=threads, go_on=go_on)
    exam = _Exam.of(vectors, min(config.candidates, len(vectors)), timer, go_on)
    if exam is None or not graph.complete:
        return None
    exact_ms = {size: exam.exact_ms(size) for size in _BATCHES}
    ef = max(config.ef_search, exam.candidates)
    while True:
        graph.widen(ef)
        agreement, probes, graph_ms = exam.take(graph)
        if not go_on():
            return None
        agrees = agreement >= AGREEMENT
        if agrees or graph_ms >= exact_ms[1] or ef >= len(vectors):
            cheaper = [size for size in _BATCHES if size * graph_ms < exact_ms[size]]
            batch = max(cheaper, default=0) if agrees else 0
            return graph, Trial(ef, agreement, probes, graph_ms, exact_ms[1], batch)
        ef += ef // 2


@dataclass(frozen=True, slots=True, eq=False)
class _Exam:
    """Noisy probes and what exact search says of them.

    Attributes:
        vectors: (n, dim) templates.
        probes: (p, dim) those whose best template is over `FLOOR`.
        best: (p,) how much it is alike.
        candidates: taken from the graph for each probe.
        timer: seconds.
        go_on: false ends what is under way.
    """

    vectors: Vectors
    probes: Vectors
    best: F32
    candidates: int
    timer: Timer
    go_on: GoOn

    @staticmethod
    def of(vectors: Vectors, candidates: int, timer: Timer, go_on: GoOn) -> _Exam | None:
        probes = noisy_probes(vectors, PROBES)
        best = _best_scores(vectors, probes, go_on)
        if best is None:
            return None
        over = best > FLOOR
        return _Exam(vectors, probes[over], best[over], candidates, timer, go_on)

    def exact_ms(self, size: int) -> float:
        """Of exact search for `size` probes at once, median."""
        block, times = self.probes[:size], []
        for _ in range(5):
            began = self.timer()
            (block @ self.vectors.T).argmax(axis=1)
            times.append(self.timer() - began)
        return 1000 * sorted(times)[len(times) // 2]

    def take(self, graph: Graph) -> tuple[float, int, float]:
        """Agreement, the number of probes it rests on, and milliseconds of one probe.

        Ends as soon as more are missed than all may be.
        """
        allowed = (1 - AGREEMENT) * len(self.probes)
        missed, done, seconds = 0, 0, 0.0
        while done < len(self.probes) and missed <= allowed and self.go_on():
            began = self.timer()
            rows = graph.near(self.probes[done : done + _BLOCK], self.candidates)
            seconds += self.timer() - began
            until = min(done + _BLOCK, len(self.probes))
            missed += self._missed(rows, done, until)
            done = until
        return 1 - missed / max(done, 1), done, 1000 * seconds / max(done, 1)

    def _missed(self, rows: Rows | None, start: int, end: int) -> int:
        if rows is None:
            return end - start
        alike = np.einsum("pkd,pd->pk", self.vectors[rows], self.probes[start:end])
        return int(np.count_nonzero(alike.max(axis=1) < self.best[start:end] - _TIE))


def noisy_probes(vectors: Vectors, count: int) -> Vectors:
    """(count, dim) unit vectors, each at a similarity within `NOISE` to a template of its own.

    The same vectors give the same probes.
    """
    rng = np.random.default_rng(_SEED)
    rows = rng.choice(len(vectors), min(count, len(vectors)), replace=False)
    known = vectors[rows]
    alike = rng.uniform(*NOISE, (len(rows), 1)).astype(np.float32)
    noise = rng.standard_normal(known.shape, dtype=np.float32)
    noise -= np.einsum("ij,ij->i", noise, known)[:, None] * known
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    made = alike * known + np.sqrt(1 - alike**2) * noise
    return np.ascontiguousarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def _best_scores(vectors: Vectors, asked: Vectors, go_on: GoOn) -> F32 | None:
    """(n,) similarity of the best template of each probe; None when it was not to go on."""
    best = np.empty(len(asked), np.float32)
    for start in range(0, len(asked), _BATCHES[-1]):
        if not go_on():
            return None
        block = asked[start : start + _BATCHES[-1]]
        rows = (block @ vectors.T).argmax(axis=1)
        best[start : start + len(block)] = np.einsum("ij,ij->i", vectors[rows], block)
    return best
