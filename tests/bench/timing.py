"""Fair timing on a noisy machine: the rivals take turns, and medians are compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """What repeated measurements gave, in one unit."""

    low: float
    median: float
    high: float
    rounds: int

    @staticmethod
    def of(values: list[float]) -> Spread:
        return Spread(min(values), statistics.median(values), max(values), len(values))


def alternate(
    rivals: Mapping[str, Callable[[], float]], *, rounds: int, warm_up: int = 2
) -> dict[str, Spread]:
    """Let every rival measure itself once per round: A, B, C, A, B, C, …

    A disturbance of the machine then hits all of them alike.

    Args:
        rivals: each does its work once and returns its figure.
        rounds: how often, at least 1.
        warm_up: rounds before those, thrown away.
    """
    figures: dict[str, list[float]] = {name: [] for name in rivals}
    for number in range(-warm_up, rounds):
        for name, measure in rivals.items():
            figure = measure()
            if number >= 0:
                figures[name].append(figure)
    return {name: Spread.of(values) for name, values in figures.items()}


def milliseconds(
    work: Callable[[], object],
    *,
    each: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Callable[[], float]:
    """A measure of the wall time of `work`, over `each` items that it does at once."""

    def measure() -> float:
        began = clock()
        work()
        return 1000.0 * (clock() - began) / each

    return measure
