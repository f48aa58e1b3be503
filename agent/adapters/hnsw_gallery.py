"""The searchable watchlist: hnswlib finds candidates, exact float32 products score them.

The index is always built here, on this device, from the vectors: hnswlib's loader trusts what it
reads (upstream issue 673), so no index file is ever loaded.
"""

from __future__ import annotations

from typing import Any

import hnswlib
import numpy as np
import numpy.typing as npt

from agent.config import WatchlistConfig
from agent.errors import DataError
from agent.values import F32, Candidate, Candidates, Vectors, Wall, WatchlistRef
from agent.watchlist.columns import Columns, StoredList

EXACT_BELOW = 4000
"""With fewer templates one matrix product is faster than the graph, needs no build and is exact.
Where they cross was measured (x86-64, one thread, 128 dimensions, k=16, ef=64, median us, graph
against product): 1,000: 47, 25; 2,000: 79, 63; 4,000: 84, 83; 8,000: 126, 166; 32,000: 363, 1384.
"""
M = 16
EF_CONSTRUCTION = 200
_SAMPLE = 256
_EF_LIMIT = 1024
_ITSELF = 0.9999
_BLOCK = 1 << 22

Rows = npt.NDArray[np.intp]


class HnswGallery:
    """An immutable version of the watchlist, holding only what is valid when it was built.

    Safe to search from several threads. Made by `build_gallery`.

    Attributes:
        next_change: when the next entry begins or ends, wall seconds; build anew then. None when
            nothing will change by itself.
        ef: breadth of the hnswlib search in use; 0 when searched exactly.
    """

    def __init__(
        self,
        ref: WatchlistRef,
        columns: Columns,
        index: hnswlib.Index | None,
        *,
        config: WatchlistConfig,
        next_change: Wall | None,
    ) -> None:
        self.next_change = next_change
        self.ef = 0 if index is None else int(index.ef)
        self._ref = ref
        self._columns = columns
        self._index = index
        self._candidates = config.candidates
        _, self._person = np.unique(columns.subject, return_inverse=True)
        self._subjects = int(self._person.max()) + 1 if len(columns) else 0

    def __repr__(self) -> str:
        return f"HnswGallery({self._ref}, subjects={self.subjects}, templates={self.templates})"

    @property
    def ref(self) -> WatchlistRef:
        return self._ref

    @property
    def subjects(self) -> int:
        return self._subjects

    @property
    def templates(self) -> int:
        return len(self._columns.owner)

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
        """(n, k) rows that may be the best ones."""
        k = min(self._candidates, self.templates)
        if self._index is not None:
            try:
                labels, _ = self._index.knn_query(probes, k=k, num_threads=1)
            except RuntimeError:  # the graph gave fewer than k: part of it was out of reach
                return self._near_exact(probes, k)
            return np.asarray(labels, np.intp)
        return self._near_exact(probes, k)

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
    """Build a searchable gallery of the entries that are valid now, and check it against itself.

    Takes about a minute for 300,000 templates on two cores; call it off the pipeline's thread.
    With one thread the same list gives the same index; with more the candidates of hard probes
    may differ, their similarities never.

    Args:
        stored: a checked list; it and the gallery share the vectors.
        now: wall seconds.
        config: breadth of the search and number of candidates re-scored.
        threads: for the build.

    Raises:
        DataError: sampled templates do not find themselves.
    """
    columns = stored.columns.take(stored.columns.valid_at(now))
    upcoming = stored.columns.next_change(now)
    index = None if len(columns.owner) < EXACT_BELOW else _index(columns.vectors, config, threads)
    return HnswGallery(stored.ref, columns, index, config=config, next_change=upcoming)


def _index(vectors: Vectors, config: WatchlistConfig, threads: int) -> Any:
    count, dim = vectors.shape
    index = hnswlib.Index(space="ip", dim=dim)
    index.init_index(max_elements=count, M=M, ef_construction=EF_CONSTRUCTION, random_seed=100)
    index.add_items(vectors, np.arange(count), num_threads=threads)
    _widen_until_sound(index, vectors, max(config.ef_search, config.candidates))
    return index


def _widen_until_sound(index: Any, vectors: Vectors, ef: int) -> None:
    """Set the smallest breadth, from `ef` up in doublings, with which a sample finds itself.

    Embeddings of faces pass at the first; vectors without any structure may need more.
    """
    rows = np.unique(np.linspace(0, len(vectors) - 1, _SAMPLE).astype(np.intp))
    sample = np.ascontiguousarray(vectors[rows])
    missed = len(rows)
    while missed and ef <= _EF_LIMIT:
        index.set_ef(ef)
        missed = _missed(index, vectors, sample)
        ef *= 2
    if missed:
        raise DataError(
            f"watchlist index: {missed} of {len(rows)} sampled templates do not find themselves; "
            "the list is not searched. Import or enrol it again"
        )


def _missed(index: Any, vectors: Vectors, sample: Vectors) -> int:
    try:
        labels, _ = index.knn_query(sample, k=1, num_threads=1)
    except RuntimeError:
        return len(sample)
    found = np.einsum("ij,ij->i", vectors[labels[:, 0].astype(np.intp)], sample)
    return int(np.count_nonzero(found < _ITSELF))


def _top(scores: F32, k: int) -> Rows:
    """(n, k) columns of the highest scores of each row, in no order."""
    if k >= scores.shape[1]:
        return np.tile(np.arange(scores.shape[1]), (len(scores), 1))
    return np.argpartition(scores, -k, axis=1)[:, -k:]


def _scores(vectors: Vectors, probe: F32) -> F32:
    """(k,) float32 products, each summed by itself: independent of batch and neighbours."""
    scores: F32 = np.clip(np.einsum("kd,d->k", vectors, probe), -1.0, 1.0)
    return scores
