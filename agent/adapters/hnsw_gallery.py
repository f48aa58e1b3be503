"""The searchable watchlist: exact float32 products say who is most alike.

A list is searched exactly from the moment it is loaded. A long one then gets an hnswlib graph,
which takes over where it was measured to find the same at less cost (`hnsw_index`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from agent.adapters.hnsw_index import Graph, Rows, Trial, graph_for
from agent.config import WatchlistConfig
from agent.values import F32, Candidate, Candidates, Vectors, Wall, WatchlistRef
from agent.watchlist.columns import Columns, StoredList

EXACT_BELOW = 50_000
"""With fewer templates no graph is tried: it never won there (see the decision record), and a
probe takes about a millisecond."""
VERIFY_OVER = 0.55
"""A graph's answer more alike than this is searched again exactly, so that whoever an alert could
name, and the margin over the best other subject, are exact. Thresholds of lists long enough for
a graph lie higher: 50,000 templates at 1 false alert in 100 subjects need an FMR of 2e-7, which
the shipped embedder has at 0.64."""
_BLOCK = 1 << 22


class HnswGallery:
    """An immutable version of the watchlist, holding only what is valid when it was built.

    Safe to search from several threads. Made by `build_gallery`.

    Attributes:
        next_change: when the next entry begins or ends, wall seconds; build anew then. None when
            nothing will change by itself.
        trial: what the graph was found to be worth; None when none was tried.
    """

    def __init__(
        self,
        ref: WatchlistRef,
        columns: Columns,
        *,
        config: WatchlistConfig,
        next_change: Wall | None,
        threads: int,
        tried: tuple[Graph, Trial] | None = None,
    ) -> None:
        self.next_change = next_change
        self.trial = None if tried is None else tried[1]
        self._graph = tried[0] if tried is not None and tried[1].batch else None
        self._ref = ref
        self._columns = columns
        self._config = config
        self._threads = threads
        _, self._person = np.unique(columns.subject, return_inverse=True)
        self._subjects = int(self._person.max()) + 1 if len(columns) else 0

    def __repr__(self) -> str:
        return f"HnswGallery({self._ref}, subjects={self.subjects}, templates={self.templates})"

    @property
    def ref(self) -> WatchlistRef:
        return self._ref

    @property
    def ef(self) -> int:
        """Breadth of the graph search in use; 0 when searched exactly."""
        return self.trial.ef if self._graph is not None and self.trial is not None else 0

    @property
    def how(self) -> str:
        """How it is searched, and why, in one line."""
        if self.trial is not None:
            return str(self.trial)
        if self.templates < EXACT_BELOW:
            return "searched exactly"
        return "searched exactly until its index is built"

    @property
    def subjects(self) -> int:
        return self._subjects

    @property
    def templates(self) -> int:
        return len(self._columns.owner)

    def indexed(self, go_on: Callable[[], bool] = lambda: True) -> HnswGallery | None:
        """The same list, with a graph where that is worth while: `trial` and `how` tell.

        Takes minutes for 300,000 templates; call it off the pipeline's thread and off the way
        to the first search.

        Args:
            go_on: asked about every second; False gives up.

        Returns:
            None when given up, when the list is too short for a graph or has been tried already.
        """
        if self.templates < EXACT_BELOW or self.trial is not None:
            return None
        tried = graph_for(self._columns.vectors, self._config, threads=self._threads, go_on=go_on)
        if tried is None:
            return None
        return HnswGallery(
            self._ref,
            self._columns,
            config=self._config,
            next_change=self.next_change,
            threads=self._threads,
            tried=tried,
        )

    def search(self, probes: Vectors) -> list[Candidates]:
        """The best entry and the best other subject for each row of (n, dim) unit probes.

        Similarities are float32 products with the stored vectors, the same whichever way the
        candidates were found, clipped to [-1, 1].

        Raises:
            ValueError: probes of another dimension than the list.
        """
        return [
            Candidates(found[0] if found else None, found[1] if len(found) > 1 else None)
            for found in self.ranked(probes, limit=2)
        ]

    def ranked(self, probes: Vectors, *, limit: int = 1000) -> list[list[Candidate]]:
        """For each probe at most `limit` candidates, one per subject, most similar first.

        The first two are the best and the best other subject whenever there are two subjects;
        the tail is what the candidate search turned up, at most `watchlist.candidates`.
        """
        probes = np.ascontiguousarray(probes, np.float32)
        if not self.templates:
            return [[] for _ in probes]
        if probes.ndim != 2 or probes.shape[1] != self._columns.dim:  # noqa: PLR2004
            raise ValueError(f"probes: expected (n, {self._columns.dim}), got {probes.shape}")
        if not len(probes):
            return []
        labels = self._near(probes)
        return [self._rank(probe, rows, limit) for probe, rows in zip(probes, labels, strict=True)]

    def _near(self, probes: Vectors) -> Rows:
        """(n, k) rows that may be the best ones, and surely are over `VERIFY_OVER`."""
        k = min(self._config.candidates, self.templates)
        if self._graph is None or self.trial is None or len(probes) > self.trial.batch:
            return self._near_exact(probes, k)
        rows = self._graph.near(probes, k)
        if rows is None:
            return self._near_exact(probes, k)
        for at, probe in enumerate(probes):
            if _scores(self._columns.vectors[rows[at]], probe).max() >= VERIFY_OVER:
                rows[at] = self._near_exact(probes[at : at + 1], k)[0]
        return rows

    def _near_exact(self, probes: Vectors, k: int) -> Rows:
        step = max(1, _BLOCK // self.templates)
        blocks = [probes[start : start + step] for start in range(0, len(probes), step)]
        return np.concatenate([_top(block @ self._columns.vectors.T, k) for block in blocks])

    def _rank(self, probe: F32, rows: Rows, limit: int) -> list[Candidate]:
        columns = self._columns
        person = self._person[columns.owner[rows]]
        if self._subjects > 1 and (person == person[0]).all():
            rows = np.append(rows, self._best_other(probe, int(person[0])))
        scores = _scores(columns.vectors[rows], probe)
        found: dict[int, Candidate] = {}
        for at in np.lexsort((rows, -scores)).tolist():
            entry = int(columns.owner[rows[at]])
            subject = int(self._person[entry])
            if subject not in found:
                found[subject] = Candidate(columns.ref(entry), float(scores[at]))
            if len(found) == limit:
                break
        return list(found.values())

    def _best_other(self, probe: F32, person: int) -> int:
        """The best row of anybody else, exactly: rare, so the time of a full pass is fair."""
        scores = self._columns.vectors @ probe
        scores[self._person[self._columns.owner] == person] = -np.inf
        return int(np.argmax(scores))


def build_gallery(
    stored: StoredList, *, now: Wall, config: WatchlistConfig, threads: int
) -> HnswGallery:
    """A gallery of the entries that are valid now, at once: it is searched exactly.

    Args:
        stored: a checked list; it and the gallery share the vectors.
        now: wall seconds.
        config: number of candidates re-scored, and breadth at which a graph begins.
        threads: for building a graph, see `HnswGallery.indexed`. With one thread the same list
            gives the same graph; with more the candidates of hard probes may differ, their
            similarities never.
    """
    columns = stored.columns.take(stored.columns.valid_at(now))
    return HnswGallery(
        stored.ref,
        columns,
        config=config,
        next_change=stored.columns.next_change(now),
        threads=threads,
    )


def _top(scores: F32, k: int) -> Rows:
    """(n, k) columns of the highest scores of each row, in no order."""
    if k >= scores.shape[1]:
        return np.tile(np.arange(scores.shape[1]), (len(scores), 1))
    return np.argpartition(scores, -k, axis=1)[:, -k:]


def _scores(vectors: Vectors, probe: F32) -> F32:
    """(k,) float32 products, each summed by itself: independent of batch and neighbours."""
    scores: F32 = np.clip(np.einsum("kd,d->k", vectors, probe), -1.0, 1.0)
    return scores
