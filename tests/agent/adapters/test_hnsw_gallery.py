"""Brute force is the oracle: whatever hnswlib found, similarities and ranks must be exact."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.adapters import hnsw_gallery
from agent.adapters.hnsw_gallery import VERIFY_OVER, HnswGallery, build_gallery
from agent.adapters.hnsw_index import Graph, Trial
from agent.config import WatchlistConfig
from agent.values import Wall
from agent.watchlist.columns import StoredList
from agent.watchlist.edit import add, remove
from tests.support.lists import (
    BEGIN,
    END,
    SPACE,
    a_list,
    a_meta,
    columns_of,
    some_columns,
    units,
)

NOW = Wall(BEGIN + 1000)
CONFIG = WatchlistConfig()


def build(stored, *, now=NOW, config=CONFIG, threads=1):
    return build_gallery(stored, now=now, config=config, threads=threads)


def by_graph(stored, *, ef=64, batch=1000, config=CONFIG):
    """Searched by a graph, whether or not one pays."""
    columns = stored.columns
    graph = Graph(columns.vectors, threads=1, go_on=lambda: True)
    graph.widen(ef)
    return HnswGallery(
        stored.ref, columns, config=config, next_change=None, threads=1,
        tried=(graph, Trial(ef, 1.0, 2000, 0.1, 1.0, batch)),
    )  # fmt: skip


class Wrong:
    """A graph that answers with rows far off, or not at all, and remembers what it was asked."""

    def __init__(self, rows=None):
        self.rows, self.asked = rows, []

    def near(self, probes, k):
        self.asked.append(len(probes))
        return None if self.rows is None else np.tile(self.rows[:k], (len(probes), 1))


def by_wrong(stored, graph, *, batch=1000, config=CONFIG):
    return HnswGallery(
        stored.ref, stored.columns, config=config, next_change=None, threads=1,
        tried=(graph, Trial(64, 1.0, 2000, 0.1, 1.0, batch)),
    )  # fmt: skip


def crowd(people: int, per_person: int, *, spread: float = 0.3, dim: int = 32, seed: int = 0):
    """`people` clusters, one entry each, like several photographs of each person."""
    centres = np.repeat(units(people, dim, seed), per_person, axis=0)
    rows = centres + spread * units(people * per_person, dim, seed + 1)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    metas = [a_meta(number) for number in range(people)]
    return a_list(columns_of(metas, [per_person] * people, rows.astype(np.float32)))


def brute(stored, probe):
    """[(similarity, subject)] of the best and of the best other subject, by float64 sums."""
    columns = stored.columns
    scores = columns.vectors.astype(np.float64) @ probe.astype(np.float64)
    best = {}
    for template, score in enumerate(scores.tolist()):
        subject = columns.subject[columns.owner[template]].decode()
        best[subject] = max(best.get(subject, -2.0), score)
    return sorted(((score, subject) for subject, score in best.items()), reverse=True)[:2]


def agrees(stored, gallery, probes):
    for probe, found in zip(probes, gallery.search(probes), strict=True):
        expected = brute(stored, probe)
        got = [one for one in (found.best, found.runner_up) if one is not None]
        assert [one.similarity for one in got] == pytest.approx([s for s, _ in expected], abs=2e-6)
        gaps = [a - b for (a, _), (b, _) in pairwise(expected)]
        if all(gap > 1e-5 for gap in gaps):
            assert got[0].ref.subject == expected[0][1]
        assert found.margin >= 0


@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 1000), st.integers(2, 8))
@settings(max_examples=40, deadline=None)
def test_a_short_list_agrees_with_brute_force(people, per_person, seed, candidates):
    stored = crowd(people, per_person, seed=seed)
    gallery = build(stored, config=WatchlistConfig(candidates=candidates))
    assert gallery.ef == 0
    agrees(stored, gallery, units(5, 32, seed + 2))


@pytest.fixture(scope="module")
def long_list():
    return crowd(800, 3)


@pytest.fixture(scope="module")
def long_gallery(long_list):
    gallery = by_graph(long_list)
    assert gallery.ef == 64
    return gallery


def test_a_long_list_agrees_with_brute_force(long_list, long_gallery):
    rng = np.random.default_rng(5)
    near = long_list.columns.vectors[rng.integers(0, 2400, 30)] + 0.2 * units(30, 32, 9)
    probes = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    agrees(long_list, long_gallery, probes)


def test_counts(long_list, long_gallery):
    assert (long_gallery.subjects, long_gallery.templates) == (800, 2400)
    assert long_gallery.ref == long_list.ref


def test_similarity_does_not_depend_on_the_batch_or_the_way(long_list, long_gallery):
    probes = long_list.columns.vectors[::400]
    together = long_gallery.search(probes)
    assert together == [long_gallery.search(probe[None])[0] for probe in probes]
    exact = build(long_list)
    assert exact.ef == 0
    assert exact.search(probes) == together


@pytest.mark.parametrize("gallery", [build, by_graph])
def test_the_runner_up_is_right_when_one_subject_fills_the_candidates(gallery):
    """100 templates of one subject push everybody else out of the 4 candidates."""
    one = units(1, 32) + 0.05 * units(100, 32, 1)
    rows = np.concatenate([one, units(40, 32, 2)])
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    metas = [a_meta(number) for number in range(41)]
    stored = a_list(columns_of(metas, [100] + [1] * 40, rows))
    agrees(stored, gallery(stored, config=WatchlistConfig(candidates=4)), rows[:5])


def test_the_margin_of_a_likely_match_is_exact_whatever_the_graph_missed():
    """The graph offers the man and strangers, not the man most like him."""
    rows = units(40, 32)
    near = rows[0] + 0.7 * units(1, 32, 9)[0]
    rows[1] = near / np.linalg.norm(near)
    stored = a_list(columns_of([a_meta(number) for number in range(40)], [1] * 40, rows))
    offered = np.array([0, *range(2, 17)])
    gallery = by_wrong(stored, Wrong(offered))
    (found,) = gallery.search(rows[:1])
    assert found.best.similarity > VERIFY_OVER
    assert (found.best.ref.entry, found.runner_up.ref.entry) == ("E-0", "E-1")
    agrees(stored, gallery, rows[:1])


def test_a_probe_far_below_any_threshold_rests_on_the_graph_alone():
    stored = crowd(40, 1)
    graph = Wrong(np.arange(16))
    probe = -stored.columns.vectors[:1]
    (found,) = by_wrong(stored, graph).search(probe)
    offered = stored.columns.vectors[:16] @ probe[0]
    assert graph.asked == [1]
    assert found.best.similarity == pytest.approx(offered.max(), abs=2e-6)
    assert found.best.similarity < VERIFY_OVER


def test_more_probes_than_the_graph_is_good_for_are_searched_exactly():
    stored, graph = crowd(50, 2), Wrong(np.arange(16))
    agrees(stored, by_wrong(stored, graph, batch=2), units(3, 32, 3))
    assert graph.asked == []


def test_a_graph_that_fell_apart_is_searched_exactly():
    stored, graph = crowd(50, 2), Wrong()
    agrees(stored, by_wrong(stored, graph), units(5, 32, 3))
    assert graph.asked


def test_a_graph_found_useless_is_not_used_but_told():
    stored = crowd(50, 2)
    gallery = by_wrong(stored, Wrong(), batch=0)
    assert gallery.ef == 0
    assert gallery.how.startswith("searched exactly: at ef 64 the graph finds")
    agrees(stored, gallery, units(5, 32, 3))


def test_entries_of_one_subject_are_one_competitor():
    rows = units(3)
    metas = [a_meta(1), a_meta(2, subject="S-1"), a_meta(3)]
    found = build(a_list(columns_of(metas, [1, 1, 1], rows))).search(rows[:1])[0]
    assert (found.best.ref.entry, found.runner_up.ref.entry) == ("E-1", "E-3")


def test_a_single_subject_has_no_competitor():
    stored = a_list(columns_of([a_meta(1)], [3], units(3)))
    found = build(stored).search(units(1))[0]
    assert found.best.ref.subject == "S-1"
    assert found.runner_up is None


@pytest.mark.parametrize("stored", [StoredList.empty(), a_list()])
def test_an_empty_list_answers_with_nobody(stored):
    gallery = build(stored, now=Wall(END))
    assert (gallery.subjects, gallery.templates, gallery.next_change) == (0, 0, None)
    found = gallery.search(units(2))
    assert [(one.best, one.runner_up, one.margin) for one in found] == [(None, None, 0.0)] * 2


def test_no_probes_no_answers():
    assert build(a_list()).search(np.zeros((0, 16), np.float32)) == []


def test_a_probe_of_another_dimension_is_a_bug():
    with pytest.raises(ValueError, match=r"expected \(n, 16\), got \(1, 8\)"):
        build(a_list()).search(units(1, 8))


def test_only_valid_entries_are_searched():
    rows = units(3)
    metas = [a_meta(1, not_after=NOW), a_meta(2), a_meta(3, not_before=NOW + 5)]
    stored = a_list(columns_of(metas, [1, 1, 1], rows))
    before = build(stored)
    assert {one.best.ref.entry for one in before.search(rows)} == {"E-2"}
    assert (before.templates, before.next_change) == (1, NOW + 5)
    after = build(stored, now=Wall(NOW + 5))
    assert [one.best.ref.entry for one in after.search(rows[1:])] == ["E-2", "E-3"]
    assert after.next_change == END


def test_the_old_gallery_serves_while_the_list_changes():
    old_list = a_list()
    old = build(old_list)
    probe = old_list.columns.vectors[:1]
    new = build(remove(add(old_list, some_columns(2, first=8, seed=3), SPACE), entries=["E-1"]))
    assert old.search(probe)[0].best.ref.entry == "E-1"
    assert new.search(probe)[0].best.ref.entry != "E-1"
    assert (old.templates, new.templates) == (3, 4)


def test_ranked_gives_each_subject_once_in_order(long_list, long_gallery):
    for ranked in long_gallery.ranked(long_list.columns.vectors[::500]):
        similarities = [one.similarity for one in ranked]
        assert similarities == sorted(similarities, reverse=True)
        assert len({one.ref.subject for one in ranked}) == len(ranked) > 1


def test_a_short_list_gets_no_graph(long_list):
    gallery = build(long_list)
    assert gallery.indexed() is None
    assert gallery.how == "searched exactly"


def test_a_long_list_serves_at_once_and_gets_its_graph_once(monkeypatch):
    monkeypatch.setattr(hnsw_gallery, "EXACT_BELOW", 200)
    stored = crowd(100, 2)
    plain = build(stored)
    assert (plain.ef, plain.trial) == (0, None)
    assert plain.how == "searched exactly until its index is built"
    indexed = plain.indexed()
    assert indexed.trial is not None
    assert indexed.how == str(indexed.trial)
    assert (indexed.ref, indexed.templates) == (plain.ref, plain.templates)
    assert indexed.next_change == plain.next_change
    assert indexed.indexed() is None
    agrees(stored, indexed, units(10, 32, 3))


def test_an_index_that_is_not_to_go_on_is_given_up(monkeypatch):
    monkeypatch.setattr(hnsw_gallery, "EXACT_BELOW", 200)
    assert build(crowd(100, 2)).indexed(lambda: False) is None


def test_doubles_of_different_subjects_are_a_tie_not_an_error():
    row = units(1)
    stored = a_list(columns_of([a_meta(1), a_meta(2)], [1, 1], np.repeat(row, 2, axis=0)))
    found = build(stored).search(row)[0]
    assert found.margin == 0.0
    assert {found.best.ref.entry, found.runner_up.ref.entry} == {"E-1", "E-2"}


def test_similarity_never_leaves_its_range():
    columns = some_columns(2)
    long = replace(columns, vectors=columns.vectors * np.float32(1.0005))
    found = build(a_list(long)).search(long.vectors)
    assert all(one.best.similarity <= 1.0 for one in found)
