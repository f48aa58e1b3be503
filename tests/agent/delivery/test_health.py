"""Counts in which no individual shows."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from agent.delivery.health import (
    BINS,
    EPSILON,
    FaceRate,
    FrameCount,
    bin_of,
    blur,
    latencies,
    memory_step_mb,
    step_up,
    tens,
)
from agent.values import Monotonic

_GRID = [(place + 0.5) / 300 for place in range(300)]
_NOISE = Counter(blur(0, (one, other)) for one in _GRID for other in _GRID)
_EXACTLY = 0.5  # of both chances: one[floor] - other[floor] is 0


def odds(people: int, *, blurred: bool = True) -> dict[str, float]:
    """How probable each bin is when so many people pass in a minute."""
    noise = _NOISE if blurred else Counter({0: 1})
    total, found = sum(noise.values()), Counter()
    for extra, times in noise.items():
        found[bin_of(people + extra)] += times
    return {name: times / total for name, times in found.items()}


@pytest.mark.parametrize("people", [0, 1, 8, 9, 10, 28, 29, 30, 98, 99, 298, 299, 300])
def test_one_passer_by_more_or_less_hardly_changes_the_odds_of_any_bin(people: int) -> None:
    with_one, without = odds(people + 1), odds(people)
    likely = {name for name in with_one.keys() & without.keys() if without[name] > 0.002}
    assert likely
    for name in likely:
        ratio = with_one[name] / without[name]
        assert math.exp(-EPSILON) * 0.95 <= ratio <= math.exp(EPSILON) * 1.05, name


def test_without_the_blur_a_bins_edge_would_give_one_person_away() -> None:
    assert odds(9, blurred=False).keys() != odds(10, blurred=False).keys()


def test_an_empty_street_and_a_few_people_are_in_the_lowest_bin() -> None:
    assert odds(0)["0-9"] > 0.99
    assert odds(1)["0-9"] > 0.98
    assert odds(200)["100-299"] > 0.99


@pytest.mark.parametrize(
    ("per_minute", "name"),
    [(-5, "0-9"), (9.9, "0-9"), (10, "10-29"), (99, "30-99"), (300, "300+"), (1e9, "300+")],
)
def test_bins(per_minute: float, name: str) -> None:
    assert bin_of(per_minute) == name
    assert len(BINS) == 5


def test_a_rate_is_told_of_whole_minutes_only() -> None:
    rate = FaceRate(lambda: _EXACTLY, now=Monotonic(0.0))
    told = [rate.of(total, now=Monotonic(at)) for at, total in [(10, 40), (59, 50), (60, 60)]]
    assert told == ["0-9", "0-9", "30-99"], "40 people in 10 s are not 240 a minute"
    assert rate.of(60, now=Monotonic(119)) == "30-99"
    assert rate.of(60, now=Monotonic(120)) == "0-9"
    assert rate.of(180, now=Monotonic(360)) == "30-99", "120 in four minutes"


def test_frames_are_told_in_hundreds_and_none_is_forgotten() -> None:
    frames = FrameCount()
    told = [frames.since(total, 0).processed for total in (149, 298, 447, 600, 600)]
    assert told == [100, 200, 100, 200, 0]
    assert frames.since(600, 30).dropped == 0
    assert frames.since(600, 60).dropped == 100
    assert frames.since(600, 60).dropped == 0


@pytest.mark.parametrize(
    ("value", "step"),
    [(0, 0), (0.7, 1), (1, 1), (1.01, 2), (17, 20), (20, 20), (21, 50), (51, 100), (0.03, 0.05)],
)
def test_latencies_are_told_in_steps(value: float, step: float) -> None:
    assert step_up(value) == step


def test_what_is_made_of_faces_only_is_not_told() -> None:
    """A first face makes the first embedding: that there is a figure at all would tell of it."""
    nobody = {"p50": 0.0, "p95": 0.0, "max": 0.0}
    found = {"p50": 17.0, "p95": 31.0, "max": 80.0}
    empty = {"detect": found, "embed": nobody, "search": nobody, "alert_to_ack": nobody}
    seen = {**empty, "embed": found, "search": found, "frame": found}
    assert latencies(seen) == latencies(empty)
    assert latencies(empty).model_dump() == {
        "detect": {"p50": 20.0, "p95": 50.0},
        "alert_to_ack": None,
    }


def test_memory_is_told_in_steps() -> None:
    assert [memory_step_mb(peak) for peak in (1, 16, 16.1, 340.2)] == [16, 16, 32, 352]


@pytest.mark.parametrize(("count", "kept"), [(0, 0), (5, 0), (6, 10), (15, 10), (996, 1000)])
def test_people_are_kept_in_tens(count: int, kept: int) -> None:
    assert tens(count) == kept


def test_what_is_kept_of_a_use_hides_each_single_person_and_sums_up_right() -> None:
    """One passer-by more changes the odds of any number by at most e**EPSILON."""

    def odds_of(people: int) -> dict[int, float]:
        found: dict[int, float] = {}
        for noise, count in _NOISE.items():
            for tenth in range(10):
                kept = tens(max(0, people + noise), (0.0, 0.0, tenth / 10 + 0.05))
                found[kept] = found.get(kept, 0.0) + count / _NOISE.total() / 10
        return found

    for people in (0, 1, 9, 10, 24):
        few, more = odds_of(people), odds_of(people + 1)
        for number, share in few.items():
            if share > 0.03:  # the grid of the noise is too coarse for rarer ones
                assert 1 / 1.7 < share / more[number] < 1.7  # e**0.5 is 1.65
    mean = sum(number * share for number, share in odds_of(57).items())
    assert mean == pytest.approx(57, abs=0.1)
    assert sum(odds_of(0).values()) == pytest.approx(1)


def test_the_noise_reaches_what_is_kept() -> None:
    assert len({tens(57, (one, other, 0.5)) for one in _GRID for other in _GRID}) > 3
