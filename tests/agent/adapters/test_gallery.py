"""Brute force is the oracle: whatever found them, similarities and ranks must be exact."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.adapters import gallery as gallery_module
from agent.adapters.gallery import ListGallery, build_gallery, renewed
from agent.adapters.list_segment import Segment
from agent.adapters.list_version import People, Version
from agent.adapters.search_trial import Trial
from agent.adapters.sketch import Sketch
from agent.config import WatchlistConfig
from agent.values import Wall
from agent.watchlist.columns import StoredList, concat
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


TRIAL = Trial("sketch", 1.0, 2000, 0.1, 1.0)


def by_finder(stored, finder, *, config=CONFIG):
    """Searched by this, whether or not it pays."""
    people, person = People.of(stored.columns)
    segment = replace(Segment.of(stored.columns, person, NOW), finder=finder)
    version = Version(stored.ref, stored.space, people, config, 1)
    return ListGallery(version, (segment,), now=NOW, trial=TRIAL)


def by_sketch(stored, *, least=0, config=CONFIG):
    """Looks at every row, unless told otherwise."""
    sketch = Sketch.of(stored.columns.vectors)
    sketch.least = least
    return by_finder(stored, sketch, config=config)


class Wrong:
    """Gives rows far off, or none at all, and remembers how often it was asked."""

    def __init__(self, rows=None):
        self.rows, self.asked = rows, 0

    def near(self, probe, alive=None):
        self.asked += 1
        return self.rows


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
    agrees(stored, gallery, units(5, 32, seed + 2))


@pytest.fixture(scope="module")
def long_list():
    return crowd(800, 3)


@pytest.fixture(scope="module")
def long_gallery(long_list):
    return by_sketch(long_list)


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
    assert build(long_list).search(probes) == together
    assert long_gallery.confirm(probes) == together


@pytest.mark.parametrize("gallery", [build, by_sketch])
def test_the_runner_up_is_right_when_one_subject_fills_the_candidates(gallery):
    """100 templates of one subject push everybody else out of the 4 candidates."""
    one = units(1, 32) + 0.05 * units(100, 32, 1)
    rows = np.concatenate([one, units(40, 32, 2)])
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    metas = [a_meta(number) for number in range(41)]
    stored = a_list(columns_of(metas, [100] + [1] * 40, rows))
    agrees(stored, gallery(stored, config=WatchlistConfig(candidates=4)), rows[:5])


def test_whoever_is_to_be_named_is_confirmed_whatever_was_missed():
    """The quick way offers the man and strangers, not the man most like him."""
    rows = units(40, 32)
    near = rows[0] + 0.7 * units(1, 32, 9)[0]
    rows[1] = near / np.linalg.norm(near)
    stored = a_list(columns_of([a_meta(number) for number in range(40)], [1] * 40, rows))
    gallery = by_finder(stored, Wrong(np.array([0, *range(2, 17)])))
    (quick,), (sure,) = gallery.search(rows[:1]), gallery.confirm(rows[:1])
    assert (quick.best, sure.best.ref.entry) == (sure.best, "E-0")
    assert quick.runner_up.similarity < sure.runner_up.similarity
    assert sure.runner_up.ref.entry == "E-1"
    assert gallery.ranked(rows[:1])[0][:2] == [sure.best, sure.runner_up]


def test_what_was_missed_makes_a_similarity_too_low_never_too_high():
    stored = crowd(40, 1)
    probe = -stored.columns.vectors[:1]
    (found,) = by_finder(stored, Wrong(np.arange(16))).search(probe)
    offered = stored.columns.vectors[:16] @ probe[0]
    assert found.best.similarity == pytest.approx(offered.max(), abs=2e-6)


@pytest.mark.parametrize("rows", [None, np.zeros(0, np.intp), np.array([3])])
def test_a_quick_way_that_cannot_tell_is_replaced_by_exact_search(rows):
    stored, finder = crowd(50, 2), Wrong(rows)
    agrees(stored, by_finder(stored, finder), units(5, 32, 3))
    assert finder.asked == 5


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
    after = before.at(Wall(NOW + 5))
    assert after.search(rows) == build(stored, now=Wall(NOW + 5)).search(rows)
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


def test_a_short_list_gets_no_index(long_list):
    gallery = build(long_list)
    assert gallery.indexed() is None
    assert (gallery.how, gallery.stale) == ("searched exactly", False)


@pytest.fixture
def short_is_long(monkeypatch):
    monkeypatch.setattr(gallery_module, "EXACT_BELOW", 200)
    monkeypatch.setattr(gallery_module, "SAMPLE", 50)


@pytest.mark.usefixtures("short_is_long")
def test_a_long_list_serves_at_once_and_gets_its_index_once():
    stored = crowd(100, 2)
    plain = build(stored)
    assert plain.how == "searched exactly until its index is built"
    indexed = plain.indexed()
    assert indexed.trial is not None
    assert indexed.how == str(indexed.trial)
    assert (indexed.ref, indexed.templates) == (plain.ref, plain.templates)
    assert indexed.next_change == plain.next_change
    agrees(stored, indexed, units(10, 32, 3))
    last = indexed.indexed()
    assert (last or indexed).indexed() is None
    assert indexed.at(NOW).indexed() is None


@pytest.mark.usefixtures("short_is_long")
def test_an_index_that_is_not_to_go_on_is_given_up():
    assert build(crowd(100, 2)).indexed(lambda: False) is None


def with_changes():
    """A long list; then one entry gone, one with another expiry, one with another template, and
    one new entry of a subject known already.
    """
    old = crowd(100, 3)
    columns = old.columns
    columns.not_after[0] = NOW + 50
    vectors, not_after = columns.vectors.copy(), columns.not_after.copy()
    vectors[3 * 7] = units(1, 32, 77)[0]
    not_after[5] = END - 1
    changed = replace(columns, vectors=vectors, not_after=not_after)
    keep = np.arange(100) != 50
    fresh = columns_of([a_meta(500, subject="S-3")], [1], units(1, 32, 78))
    return old, replace(old, version=4, columns=concat([fresh, changed.take(keep)]))


@pytest.mark.usefixtures("short_is_long")
@pytest.mark.parametrize("make", [build, by_sketch])
def test_small_changes_are_applied_to_a_clone(make):
    old, new = with_changes()
    before = make(old)
    clone = renewed(new, now=NOW, previous=before, config=CONFIG, threads=1)
    fresh = build(new)
    assert clone.trial is before.trial
    assert (clone.ref, clone.templates, clone.subjects) == (fresh.ref, fresh.templates, 99)
    assert (clone.next_change, fresh.next_change) == (NOW + 50, NOW + 50)
    probes = np.concatenate([old.columns.vectors[::10], new.columns.vectors[::10], units(5, 32, 4)])
    agrees(new, clone, probes)
    (gone,) = clone.search(old.columns.vectors[150:151])
    assert "E-50" not in (gone.best.ref.entry, gone.runner_up.ref.entry)
    assert clone.search(new.columns.vectors[:1])[0].best.ref.entry == "E-500"
    assert (before.templates, before.stale, clone.stale) == (300, False, True)
    later = clone.at(Wall(NOW + 50))
    assert later.search(probes) == build(new, now=Wall(NOW + 50)).search(probes)


@pytest.mark.usefixtures("short_is_long")
def test_changes_on_changes_and_none_at_all():
    old, new = with_changes()
    once = build(old).changed_to(new, now=NOW)
    again = once.changed_to(replace(old, version=5), now=NOW)
    assert again.ref.version == 5
    agrees(old, again, old.columns.vectors[::7])
    same = build(old).changed_to(old, now=NOW)
    assert (same.stale, same.templates) == (False, 300)


@pytest.mark.usefixtures("short_is_long")
@pytest.mark.parametrize("what", ["too much", "another space", "another dimension"])
def test_what_cannot_be_a_clone_is_built_anew(what):
    old = crowd(100, 3)
    new = {
        "too much": replace(old, columns=old.columns.take(np.arange(100) >= 11)),
        "another space": replace(old, space="other"),
        "another dimension": crowd(100, 3, dim=16),
    }[what]
    assert build(old).changed_to(new, now=NOW) is None
    built = renewed(new, now=NOW, previous=build(old), config=CONFIG, threads=1)
    assert built.templates == len(new.columns.owner)


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_a_clone_of_any_changes_answers_as_one_built_anew(data):
    """Entries come and go in any order, change subjects and times; twice, then time passes."""
    numbers = st.lists(st.integers(0, 15), min_size=1, max_size=12, unique=True)
    times = st.sampled_from([NOW - 5, NOW + 5, NOW + 10, END])

    def version():
        chosen = data.draw(numbers)
        metas = [
            a_meta(n, subject=f"S-{data.draw(st.integers(0, 9))}", not_after=data.draw(times))
            for n in chosen
        ]
        counts = [data.draw(st.integers(1, 3)) for _ in chosen]
        rows = [units(3, 16, n)[:count] for n, count in zip(chosen, counts, strict=True)]
        return a_list(columns_of(metas, counts, np.concatenate(rows)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gallery_module, "EXACT_BELOW", 0)
        patch.setattr(gallery_module, "CHANGED_AT_MOST", 1e9)
        clone = build(version())
        for _ in range(2):
            new = version()
            clone = clone.changed_to(new, now=NOW) or build(new)
        probes = units(6, 16, 99)
        for now in (NOW, Wall(NOW + 5), Wall(NOW + 10)):
            fresh, clone = build(new, now=now), clone.at(now)
            assert (clone.templates, clone.subjects) == (fresh.templates, fresh.subjects)
            assert clone.next_change == fresh.next_change
            for one, other in zip(clone.search(probes), fresh.search(probes), strict=True):
                assert [one.best, one.runner_up] == [other.best, other.runner_up]


def test_a_short_list_is_built_anew():
    assert build(a_list()).changed_to(a_list(), now=NOW) is None


@pytest.mark.usefixtures("short_is_long")
@pytest.mark.parametrize("make", [build, by_sketch])
def test_who_is_over_is_found_no_more_not_even_as_the_runner_up(make):
    stored = crowd(100, 3)
    stored.columns.not_after[:40] = NOW + 1
    probes = stored.columns.vectors[::5]
    gallery = make(stored).at(Wall(NOW + 1))
    assert (gallery.templates, gallery.subjects, gallery.stale) == (180, 60, True)
    left = replace(stored, columns=stored.columns.take(np.arange(100) >= 40))
    agrees(left, gallery, probes)
    assert make(stored).at(Wall(END)).search(probes[:1])[0].best is None


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
