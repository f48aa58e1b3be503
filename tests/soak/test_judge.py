"""The judge, on recordings that grow and such that do not."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from tests.soak.judge import (
    Bounds,
    Series,
    judge_count,
    judge_disk,
    judge_memory,
    series_of,
    trend,
    usual,
)

Shape = Callable[[float, random.Random], float]


def recorded(shape: Shape, hours: float = 8.0, step: float = 1 / 60) -> Series:
    lot = random.Random(5)
    times = [n * step for n in range(round(hours / step))]
    return Series(tuple(times), tuple(shape(hour, lot) for hour in times))


FLAT: dict[str, Shape] = {
    "constant": lambda h, lot: 195.0,
    "noise": lambda h, lot: 195 + lot.gauss(0, 3),
    "warms up": lambda h, lot: 195 - 60 * math.exp(-h / 0.5) + lot.gauss(0, 1),
    "saw teeth": lambda h, lot: 195 + 10 * (h % 0.7) / 0.7,
    "spikes": lambda h, lot: 195 + (80 if lot.random() < 0.05 else 0),
    "one late step": lambda h, lot: 195 + (5 if h > 7.5 else 0) + lot.gauss(0, 0.5),
    "falls": lambda h, lot: 195 - h,
}
GROWS: dict[str, Shape] = {
    "a little an hour": lambda h, lot: 195 + 0.8 * h,
    "under noise": lambda h, lot: 195 + 1.0 * h + lot.gauss(0, 3),
    "under saw teeth": lambda h, lot: 195 + 1.0 * h + 10 * (h % 0.7) / 0.7,
    "in steps": lambda h, lot: 195 + 2.0 * math.floor(h / 2),
    "under spikes": lambda h, lot: 195 + 1.0 * h + (80 if lot.random() < 0.05 else 0),
    "after the warm-up alone": lambda h, lot: 195 + 1.5 * max(0.0, h - 2),
}


@pytest.mark.parametrize("shape", FLAT)
def test_memory_that_is_flat(shape: str) -> None:
    assert judge_memory("agent", recorded(FLAT[shape]), Bounds()) == []


@pytest.mark.parametrize("shape", GROWS)
def test_memory_that_grows(shape: str) -> None:
    [wrong] = judge_memory("agent", recorded(GROWS[shape]), Bounds())
    assert "MB a day" in wrong


def test_the_trend_is_the_slope_whatever_a_third_of_the_samples_say() -> None:
    found = trend(recorded(lambda h, lot: 100 + 2 * h + (500 if lot.random() < 0.3 else 0)))
    assert found.per_hour == pytest.approx(2.0, abs=0.5)
    assert trend(recorded(lambda h, lot: 7.0)).per_day == 0


def connections(leak: float) -> Shape:
    """A descriptor more in some samples; `leak` in an hour stay."""
    return lambda h, lot: 40 + math.floor(leak * h) + lot.choice((0, 0, 0, 1, 2))


def test_descriptors_that_come_and_go_are_flat_and_those_that_stay_are_not() -> None:
    assert judge_count("fds", recorded(connections(0)), Bounds()) == []
    [wrong] = judge_count("fds", recorded(connections(0.4)), Bounds())
    assert "43 at the end, 41 before" in wrong


def test_fewer_at_the_end_is_no_leak_and_a_crowd_is_told() -> None:
    assert judge_count("threads", recorded(lambda h, lot: 20 - (h > 6)), Bounds()) == []
    [wrong] = judge_count("fds", recorded(lambda h, lot: 90 if 5 < h < 5.1 else 40), Bounds())
    assert "90 at worst, 40 usually" in wrong


def test_too_few_samples_prove_nothing() -> None:
    short = recorded(FLAT["constant"], hours=0.2)
    assert judge_memory("agent", short, Bounds())
    assert judge_count("fds", short, Bounds())


def test_what_is_usual_is_so_in_equal_stretches_of_time() -> None:
    series = Series((0.0, 0.1, 0.2, 3.0, 4.0), (5.0, 4.0, 9.0, 8.0, 7.0))
    assert usual(series, 2) == [5.0, 7.5]


def test_a_folder_has_a_bound_at_any_time() -> None:
    series = recorded(lambda h, lot: 3 + (4 if 5 < h < 5.1 else 0))
    assert judge_disk("state", series, Bounds(disk_mb=8)) == []
    assert judge_disk("state", series, Bounds()) == []
    [wrong] = judge_disk("state", series, Bounds(disk_mb=6))
    assert "7.0 MB at worst" in wrong


def test_a_figure_is_read_from_where_it_was_recorded() -> None:
    samples = [
        {"time": {"hours": 0.0}, "agent": {"fds": 40.0}},
        {"time": {"hours": 1.0}},
        {"time": {"hours": 2.0}, "agent": {"fds": 41.0}},
    ]
    assert series_of(samples, "agent", "fds") == Series((0.0, 2.0), (40.0, 41.0))
