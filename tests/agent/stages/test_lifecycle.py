"""The life of a track, row by row."""

import numpy as np
import pytest

from agent.config import TrackingConfig
from agent.stages.lifecycle import TRANSITIONS, Event, Life, born, missed, out_of_sight, seen
from agent.values import Monotonic, TrackState

RULES = TrackingConfig(confirm_hits=3, confirm_s=1.0, lost_s=2.0)
MARKS = np.zeros((5, 2), np.float32)
T, C, L, E = TrackState.TENTATIVE, TrackState.CONFIRMED, TrackState.LOST, TrackState.ENDED


def life(state: TrackState, *, first: float = 0.0, last: float = 0.0, hits: int = 1) -> Life:
    return Life(1, state, Monotonic(first), Monotonic(last), hits, 0.9, MARKS)


def test_every_state_knows_every_event() -> None:
    assert set(TRANSITIONS) == {(state, event) for state in TrackState for event in Event}


def test_the_end_is_the_end() -> None:
    assert {TRANSITIONS[E, event] for event in Event} == {E}


def test_only_overdue_ends_a_life() -> None:
    ends = {pair for pair, state in TRANSITIONS.items() if state is E and pair[0] is not E}
    assert ends == {(state, Event.OVERDUE) for state in (T, C, L)}


@pytest.mark.parametrize(("hits", "state"), [(1, T), (2, C), (5, C)])
def test_a_track_is_confirmed_by_its_third_detection(hits: int, state: TrackState) -> None:
    after = seen(life(T, hits=hits), Monotonic(0.5), 0.8, MARKS, RULES)
    assert (after.state, after.hits, after.last_seen) == (state, hits + 1, 0.5)


def test_one_detection_confirms_where_that_is_asked() -> None:
    once = TrackingConfig(confirm_hits=1)
    assert born(1, Monotonic(0), 0.9, MARKS, once).state is C
    assert born(1, Monotonic(0), 0.9, MARKS, RULES).state is T


@pytest.mark.parametrize(
    ("before", "now", "state"),
    [
        (life(T), 0.99, T),
        (life(T), 1.0, E),
        (life(T, first=0.0, last=0.9), 1.0, E),  # seen lately, but not proven in time
        (life(C, last=1.0), 1.1, L),
        (life(C, last=1.0), 3.0, E),
        (life(L, last=1.0), 2.99, L),
        (life(L, last=1.0), 3.0, E),
    ],
)
def test_a_miss_by_the_clock(before: Life, now: float, state: TrackState) -> None:
    assert missed(before, Monotonic(now), RULES).state is state


def test_the_lost_come_back_confirmed() -> None:
    assert seen(life(L, hits=3), Monotonic(1.0), 0.9, MARKS, RULES).state is C


@pytest.mark.parametrize(("state", "limit"), [(T, 1.0), (C, 2.0), (L, 2.0)])
def test_out_of_sight_needs_no_look(state: TrackState, limit: float) -> None:
    assert not out_of_sight(life(state), Monotonic(limit - 0.01), RULES)
    assert out_of_sight(life(state), Monotonic(limit), RULES)
