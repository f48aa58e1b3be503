"""The searchable watchlist: exact float32 products say who is most alike.

A list is searched exactly from the moment it is loaded. A long one then gets a sketch, which takes
over where this device measured that it finds the same for less (`sketch`, `search_trial`), or an
hnswlib graph where that is better still (`hnsw_index`). Small changes are applied to a clone:
entries that went are masked out, new ones are a further segment, searched exactly until the list
is built anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from agent.adapters import sketch_file
from agent.adapters.hnsw_index import EDGE, SAMPLE, graph_for
from agent.adapters.list_changes import compare
from agent.adapters.list_segment import Segment
from agent.adapters.list_version import People, Version
from agent.adapters.search_trial import Exam, Finder, Rows, Trial
from agent.adapters.sketch import Sketch, sketch_for
from agent.config import WatchlistConfig
from agent.values import F32, Candidate, Candidates, Vectors, Wall, WatchlistRef
from agent.watchlist.columns import StoredList

EXACT_BELOW = 50_000
"""Shorter lists are searched exactly and built anew at every change: both take milliseconds."""
CHANGED_AT_MOST = 0.1
"""Share of the templates that came or went with which a clone serves; else the list is built
anew. What came is searched exactly."""
GONE_AT_MOST = 0.01
"""Share of the templates that may stay in memory without counting any more, before the list is
compacted."""


_GRAPH = "graph"

Tried = tuple[Finder, Trial]


class _Found(NamedTuple):
    segment: Segment
    rows: Rows


class ListGallery:
    """An immutable version of the watchlist at a moment; safe to search from several threads.

    Made by `build_gallery` or `renewed`; `at`, `changed_to` and `indexed` give others, which share
    its arrays.

    Attributes:
        next_change: when the next entry begins or ends, wall seconds; take `at` then. None when
            nothing will change by itself.
        trial: what the quick way was found to be worth; None when none was tried.
    """

    def __init__(
        self,
        version: Version,
        segments: tuple[Segment, ...],
        *,
        now: Wall,
        trial: Trial | None = None,
    ) -> None:
        self.trial = trial
        self._version = version
        self._segments = segments
        self._now = now
        changes = [when for one in segments if (when := one.next_change(now)) is not None]
        self.next_change = min(changes, default=None)
        self._templates = sum(one.alive.templates for one in segments)
        alive = np.concatenate([one.person[one.alive.entries] for one in segments])
        self._subjects = int(np.count_nonzero(np.bincount(alive)))

    def __repr__(self) -> str:
        return f"ListGallery({self.ref}, subjects={self.subjects}, templates={self.templates})"

    @property
    def ref(self) -> WatchlistRef:
        return self._version.ref

    @property
    def subjects(self) -> int:
        return self._subjects

    @property
    def templates(self) -> int:
        return self._templates

    @property
    def how(self) -> str:
        """How it is searched, and why, in one line."""
        if self.trial is not None:
            return str(self.trial)
        if self._long:
            return "searched exactly until its index is built"
        return "searched exactly"

    @property
    def stale(self) -> bool:
        """To be built anew from its list when there is time: it has grown or shrunk by changes."""
        if not self._long:
            return False
        gone = sum(one.gone(self._now) for one in self._segments)
        return len(self._segments) > 1 or gone > GONE_AT_MOST * self._held

    @property
    def _held(self) -> int:
        return sum(len(one.columns.owner) for one in self._segments)

    @property
    def _long(self) -> bool:
        return self._held >= EXACT_BELOW

    def at(self, now: Wall) -> ListGallery:
        """The same list at another moment, in milliseconds: it shares everything but a mask."""
        return self._with(tuple(one.at(now) for one in self._segments), now, self._version)

    def changed_to(self, stored: StoredList, *, now: Wall) -> ListGallery | None:
        """This one with the changes of another version applied.

        None when it must be built anew: the list is short, too much changed, or the vectors are
        of another embedder.
        """
        dim = self._segments[0].columns.dim
        if not self._long or stored.space != self._version.space or stored.columns.dim != dim:
            return None
        kept, fresh = compare(self._segments, stored.columns)
        segments = [one.at(now, mask) for one, mask in zip(self._segments, kept, strict=True)]
        added = stored.columns.take(fresh)
        first = len(segments[0].columns.owner)
        later = sum(len(one.columns.owner) for one in segments[1:]) + len(added.owner)
        if segments[0].gone(now) + later > CHANGED_AT_MOST * first:
            return None
        version = replace(self._version, ref=stored.ref)
        if len(added):
            people, person = self._version.people.joined(added)
            segments.append(Segment.of(added, person, now))
            version = replace(version, people=people)
        return self._with(tuple(segments), now, version)

    def _with(self, segments: tuple[Segment, ...], now: Wall, version: Version) -> ListGallery:
        return ListGallery(version, segments, now=now, trial=self.trial)

    def indexed(self, go_on: Callable[[], bool] = lambda: True) -> ListGallery | None:
        """The same list after trying the next quick way: a sketch, in seconds, then a graph.

        The graph is tried on a sample first, and on the whole, which takes minutes, only when it
        wins there. Call it off the pipeline's thread and off the way to the first search.

        Args:
            go_on: asked about every second; False gives up.

        Returns:
            None when given up, when the list is too short, or when nothing is left to try.
        """
        if not self._long or _GRAPH in self._version.tried:
            return None
        vectors = self._segments[0].columns.vectors
        exam, won = None, self.trial is None or self._graph_on_sample(vectors, go_on) is not None
        if won:
            exam = Exam.of(vectors, go_on=go_on)
        tried: Tried | None = None
        if exam is not None:
            tried = sketch_for(exam) if self.trial is None else self._graph(exam, self._ms)
        if self.trial is not None and go_on():
            self._version.tried.add(_GRAPH)
        return None if tried is None else self._using(*tried)

    @property
    def _ms(self) -> float:
        """Of one probe by the way in use."""
        return np.inf if self.trial is None else min(self.trial.ms, self.trial.exact_ms)

    def _graph_on_sample(self, vectors: Vectors, go_on: Callable[[], bool]) -> Tried | None:
        """The graph of a sample of the list, when it beats the sketch of the same sample."""
        exam = Exam.of(vectors[:: max(1, len(vectors) // SAMPLE)], go_on=go_on)
        sketch = None if exam is None else sketch_for(exam)
        if exam is None or sketch is None:
            return None
        return self._graph(exam, EDGE * min(sketch[1].ms, sketch[1].exact_ms))

    def _graph(self, exam: Exam, rival: float) -> Tried | None:
        """A graph, when it agrees and takes less than the rival's milliseconds."""
        config, threads = self._version.config, self._version.threads
        tried = graph_for(exam, config, rival=rival, threads=threads)
        return tried if tried and tried[1].won and tried[1].ms < rival else None

    def _using(self, finder: Finder, trial: Trial) -> ListGallery:
        first = replace(self._segments[0], finder=finder if trial.won else None)
        segments = (first, *self._segments[1:])
        return ListGallery(self._version, segments, now=self._now, trial=trial)

    def frozen(self) -> bytearray | None:
        """Its sketch as bytes, to be kept for the next start; None when it has none."""
        finder = self._segments[0].finder
        if self.trial is None or not isinstance(finder, Sketch):
            return None
        return sketch_file.frozen(finder, self.trial)

    def thawed(self, data: bytearray) -> ListGallery | None:
        """The same with a sketch that was kept; None when that is of another list."""
        if not self._long or self.trial is not None:
            return None
        found = sketch_file.thawed(data, self._segments[0].columns.vectors)
        return None if found is None else self._using(*found)

    def search(self, probes: Vectors) -> list[Candidates]:
        """The best entry and the best other subject for each row of (n, dim) unit probes.

        Similarities are float32 products with the stored vectors, the same whichever way the
        candidates were found, clipped to [-1, 1]. What a quick way missed makes them too low,
        never too high: `confirm` before anybody is named.

        Raises:
            ValueError: probes of another dimension than the list.
        """
        return [_two(found) for found in self._ranked(probes, 2, exactly=False)]

    def confirm(self, probes: Vectors) -> list[Candidates]:
        """The same by exact search, whatever quick way is in use."""
        return [_two(found) for found in self._ranked(probes, 2, exactly=True)]

    def ranked(self, probes: Vectors, *, limit: int = 1000) -> list[list[Candidate]]:
        """For each probe at most `limit` candidates, one per subject, most similar first, exactly.

        The first two are the best and the best other subject whenever there are two subjects;
        the tail is made of the best `watchlist.candidates` templates.
        """
        return self._ranked(probes, limit, exactly=True)

    def _ranked(self, probes: Vectors, limit: int, *, exactly: bool) -> list[list[Candidate]]:
        probes = np.ascontiguousarray(probes, np.float32)
        if not self._templates:
            return [[] for _ in probes]
        dim = self._segments[0].columns.dim
        if probes.ndim != 2 or probes.shape[1] != dim:  # noqa: PLR2004
            raise ValueError(f"probes: expected (n, {dim}), got {probes.shape}")
        k = self._version.config.candidates
        near = [
            one.near_exactly(probes, k) if exactly else one.near(probes, k)
            for one in self._segments
        ]
        return [
            self._rank(
                probe, [_Found(*pair) for pair in zip(self._segments, rows, strict=True)], limit
            )
            for probe, rows in zip(probes, zip(*near, strict=True), strict=True)
        ]

    def _rank(self, probe: F32, near: list[_Found], limit: int) -> list[Candidate]:
        persons = np.concatenate([one.person[one.columns.owner[rows]] for one, rows in near])
        if self._subjects > 1 and (persons == persons[0]).all():
            person = int(persons[0])
            near += [_Found(one, one.best_other(probe, person)) for one in self._segments]
        found: dict[int, Candidate] = {}
        for segment, entry, score in _in_order(probe, near):
            person = int(segment.person[entry])
            if person not in found:
                found[person] = Candidate(segment.columns.ref(entry), score)
            if len(found) == limit:
                break
        return list(found.values())


def _in_order(probe: F32, near: list[_Found]) -> Iterator[tuple[Segment, int, float]]:
    """Segment, entry and similarity of every row, most similar first; ties by segment and row."""
    scores = np.concatenate([one.scores(rows, probe) for one, rows in near])
    part = np.repeat(np.arange(len(near)), [len(rows) for _, rows in near])
    rows = np.concatenate([rows for _, rows in near])
    for at in np.lexsort((rows, part, -scores)).tolist():
        segment = near[int(part[at])].segment
        yield segment, int(segment.columns.owner[rows[at]]), float(scores[at])


def _two(found: list[Candidate]) -> Candidates:
    return Candidates(found[0] if found else None, found[1] if len(found) > 1 else None)


def build_gallery(
    stored: StoredList, *, now: Wall, config: WatchlistConfig, threads: int
) -> ListGallery:
    """A gallery of a list, at once: it is searched exactly. What is over already is left out.

    Args:
        stored: a checked list; it and the gallery share the vectors.
        now: wall seconds.
        config: number of candidates re-scored, and breadth at which a graph begins.
        threads: for building a graph, see `ListGallery.indexed`.
    """
    columns = stored.columns.take(stored.columns.not_after > now)
    people, person = People.of(columns)
    version = Version(stored.ref, stored.space, people, config, threads)
    return ListGallery(version, (Segment.of(columns, person, now),), now=now)


def renewed(
    stored: StoredList, *, now: Wall, previous: object, config: WatchlistConfig, threads: int
) -> ListGallery:
    """The gallery in service with small changes applied, where it can be; else a new one.

    Args:
        stored: a checked list.
        now: wall seconds.
        previous: the gallery in service, or anything else.
        config: see `build_gallery`.
        threads: see `build_gallery`.
    """
    clone = previous.changed_to(stored, now=now) if isinstance(previous, ListGallery) else None
    return clone or build_gallery(stored, now=now, config=config, threads=threads)
