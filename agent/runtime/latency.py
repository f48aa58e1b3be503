"""Latencies in bounded memory: reservoir sampling (Vitter 1985, algorithm R)."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Iterable

RESERVOIR = 2048
"""Samples kept for each figure; p95 then has a standard error of about half a percentile."""


class Reservoir:
    """A uniform sample of at most `size` values, and the exact maximum."""

    def __init__(self, size: int = RESERVOIR, seed: int = 0) -> None:
        self._size = size
        self._random = random.Random(seed)  # noqa: S311 -- sampling, not secrets
        self._values: list[float] = []
        self._max = 0.0
        self.count = 0

    def add(self, value: float) -> None:
        self.count += 1
        self._max = max(self._max, value)
        if len(self._values) < self._size:
            self._values.append(value)
            return
        place = self._random.randrange(self.count)
        if place < self._size:
            self._values[place] = value

    def summary(self) -> dict[str, float]:
        """`p50`, `p95` (nearest rank) and `max`; zeros when nothing was measured."""
        ordered = sorted(self._values)
        return {
            "p50": round(_rank(ordered, 0.50), 3),
            "p95": round(_rank(ordered, 0.95), 3),
            "max": round(self._max, 3),
        }


class Latencies:
    """Reservoirs by name, in milliseconds; safe to use from several threads."""

    def __init__(self, names: Iterable[str]) -> None:
        self._lock = threading.Lock()
        self._by_name = {name: Reservoir() for name in names}

    def add_s(self, name: str, seconds: float) -> None:
        with self._lock:
            self._by_name[name].add(seconds * 1000.0)

    def summary(self) -> dict[str, dict[str, float]]:
        with self._lock:
            return {name: values.summary() for name, values in self._by_name.items()}


def _rank(ordered: list[float], share: float) -> float:
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]
