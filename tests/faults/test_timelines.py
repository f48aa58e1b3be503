"""The timelines: the same from the same seed, every kind, overlapping, and showing the recovery."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest

from firmware_sim.story.events import Doing
from tests.faults.timelines import (
    FAULTS,
    OVER_S,
    RULED,
    SECONDS,
    Timeline,
    alone,
    needed,
    pairs,
    story,
)

EVERY = [*alone(FAULTS, 1), *pairs(FAULTS, 1, 50)]
RULED_ONES = [*alone(RULED, 1, ruled=True), *pairs(RULED, 1, 50, ruled=True)]


def test_every_event_of_the_schema_is_a_fault_or_its_mend() -> None:
    assert frozenset().union(*map(needed, FAULTS)) == set(get_args(Doing))


def test_the_same_seed_gives_the_same_timelines_and_another_gives_others() -> None:
    assert pairs(FAULTS, 1, 50) == pairs(FAULTS, 1, 50)
    assert alone(FAULTS, 1) == alone(FAULTS, 1)
    assert pairs(FAULTS, 2, 50) != pairs(FAULTS, 1, 50)


def test_a_fault_alone_does_not_depend_on_which_others_there_are() -> None:
    assert alone(FAULTS[3:4], 1) == [alone(FAULTS, 1)[3]]


def test_pairs_are_of_different_faults_and_none_comes_twice_before_all_have_come() -> None:
    every = [frozenset(one.faults) for one in pairs(FAULTS, 1, 300)]
    most = len(FAULTS) * (len(FAULTS) - 1) // 2
    assert {len(one) for one in every} == {2}
    assert len(set(every[:most])) == most


@pytest.mark.parametrize("few", [0, 1])
def test_without_two_faults_there_are_no_pairs(few: int) -> None:
    assert pairs(FAULTS[:few], 1, 5) == []


@pytest.mark.parametrize("timeline", [*EVERY, *RULED_ONES], ids=lambda one: one.name)
def test_somebody_listed_walks_by_after_the_stated_recovery(timeline: Timeline) -> None:
    told = timeline.story
    assert told.over_s is not None
    assert told.over_s <= OVER_S
    well = told.over_s + (told.expect.recovers_within_s or 0.0)
    for entry in ("E-1", "E-2"):
        assert any(
            one.path[0][0] >= well and one.path[-1][0] <= told.seconds
            for one in told.people
            if one.entry == entry
        )


def test_the_second_fault_begins_while_the_first_one_lasts() -> None:
    for one in pairs(FAULTS, 1, 300):
        if one.faults[0] == "cut_link":
            first = next(e for e in one.story.events if e.do == "cut_link")
            assert min(e.at for e in one.story.events) == first.at
            assert any(first.at <= e.at <= first.at + first.seconds
                       for e in one.story.events if e is not first)  # fmt: skip


def test_under_rules_somebody_arms_when_the_last_fault_is_over() -> None:
    for one in RULED_ONES:
        assert one.story.events[-1].do == "arm"
        assert one.story.events[-1].at == pytest.approx(one.story.over_s, abs=0.01, rel=0)


def test_the_street_is_always_the_same() -> None:
    plain = story("street", [], None)
    for one in EVERY:
        changed = {"title", "events", "expect"}
        assert one.story.model_dump(exclude=changed) == plain.model_dump(exclude=changed)
    stays = [point[0] for one in plain.people for point in (one.path[0], one.path[-1])]
    assert max(stays) <= SECONDS
    for one in plain.people:
        assert all(before[0] < after[0] for before, after in pairwise(one.path))
