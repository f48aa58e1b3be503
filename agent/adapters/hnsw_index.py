"""An hnswlib graph over a long list, trusted only as far as this device measured it.

Built here from the vectors, never loaded: hnswlib's loader trusts what it reads (upstream issue
673), and building is only ever begun where a sample showed that the graph wins.
"""

from __future__ import annotations

import hnswlib
import numpy as np

from agent.adapters.bit_planes import Plane, has
from agent.adapters.search_trial import Exam, Finder, GoOn, Rows, Trial
from agent.config import WatchlistConfig
from agent.stages.wiping import wipe
from agent.values import F32, Vectors

M = 32
EF_CONSTRUCTION = 200
SAMPLE = 20_000
"""Templates on which graph and sketch are compared first: the graph of a whole list of 300,000
takes minutes, and against the sketch it only loses by growing (see the decision record)."""
EDGE = 0.5
"""Share of the sketch's time that the graph of the sample may take: the breadth that a graph
needs grows with the list, so that one as good on the sample loses on the whole."""
_CHUNK = 256


class Graph:
    """Of (n, dim) vectors, moved by their mean and put back on the sphere.

    Args:
        vectors: n at least 1.
        k: rows given for a probe.
        threads: for building; with one the same vectors give the same graph.
        go_on: asked now and then; False leaves the graph unfinished (`complete`).
    """

    def __init__(self, vectors: Vectors, *, k: int, threads: int, go_on: GoOn) -> None:
        count, dim = vectors.shape
        self._k = min(k, count)
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

    def near(self, probe: F32, alive: Plane | None = None) -> Rows | None:
        """At most k rows that may be the best ones; None when part of it is out of reach."""
        moved = self._centred(probe[None])
        try:
            labels, _ = self._index.knn_query(moved, k=self._k, num_threads=1)
        except RuntimeError:
            return None
        finally:
            wipe(moved)
        rows = np.asarray(labels[0], np.intp)
        return rows if alive is None else rows[has(alive, rows)]

    def _centred(self, rows: Vectors) -> Vectors:
        moved: Vectors = np.subtract(rows, self._mean, dtype=np.float32)
        norms = np.linalg.norm(moved, axis=1, keepdims=True)
        np.divide(moved, norms, out=moved, where=norms > 0)
        return moved


def graph_for(
    exam: Exam, config: WatchlistConfig, *, rival: float, threads: int
) -> tuple[Finder, Trial] | None:
    """A graph, as wide as it must be, and what it is worth; None when it was not to go on.

    The breadth grows from `config.ef_search` until the graph agrees with exact search, or takes
    more than the rival.

    Args:
        exam: of the vectors to search.
        config: breadth to begin with, and how many candidates are taken from the graph.
        rival: milliseconds of one probe by the way in use.
        threads: for building it.
    """
    k = min(config.candidates, len(exam.vectors))
    graph = Graph(exam.vectors, k=k, threads=threads, go_on=exam.go_on)
    ef = max(config.ef_search, k)
    while graph.complete:
        graph.widen(ef)
        trial = exam.take(graph, f"graph at ef {ef}")
        if trial is None:
            return None
        if trial.agrees or trial.ms >= rival or ef >= len(exam.vectors):
            return graph, trial
        ef += ef // 2
    return None
