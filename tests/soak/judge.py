"""Whether what was recorded over hours is flat. Values only: a recording in, a verdict out.

A process may rise while it warms up. After that the trend of its memory, by the median of all
slopes between two samples (Theil and Sen), carried on for a day, must stay below a bound: the
median does not mind saw teeth, spikes, or one step. Descriptors and threads come and go with
connections; what leaks stays, so that as many as are usual in the last stretch of time may not be
more than in the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DAY_H = 24.0
_STRETCHES = 5
_FEWEST = 10


@dataclass(frozen=True)
class Series:
    """One figure over time.

    Attributes:
        hours: of the device, rising.
        values: as many.
    """

    hours: tuple[float, ...]
    values: tuple[float, ...]

    def after(self, share: float) -> Series:
        """Without the first `share` of the time."""
        end = self.hours[-1]
        kept = [(h, v) for h, v in zip(self.hours, self.values, strict=True) if h >= share * end]
        return Series(tuple(h for h, _ in kept), tuple(v for _, v in kept))


@dataclass(frozen=True)
class Bounds:
    """What counts as flat.

    Attributes:
        warm_up: share of the time that is not judged.
        day_mb: most that memory may grow in a day by its trend, 10^6 bytes.
        spare: so many descriptors and threads more than usual may be open for a moment.
        disk_mb: most that a folder may take up at any time, 10^6 bytes; None: not judged.
    """

    warm_up: float = 0.25
    day_mb: float = 16.0
    spare: int = 8
    disk_mb: float | None = None


@dataclass(frozen=True)
class Trend:
    """Attributes:
    per_hour: the median slope.
    level: the median.
    per_day: of the slope.
    """

    per_hour: float
    level: float

    @property
    def per_day(self) -> float:
        return self.per_hour * DAY_H


def trend(series: Series) -> Trend:
    """Theil's and Sen's estimate."""
    hours, values = np.asarray(series.hours), np.asarray(series.values)
    first, second = np.triu_indices(len(hours), 1)
    spans = hours[second] - hours[first]
    slopes = (values[second] - values[first])[spans > 0] / spans[spans > 0]
    return Trend(float(np.median(slopes)), float(np.median(values)))


def usual(series: Series, stretches: int = _STRETCHES) -> list[float]:
    """The median in each of so many equal stretches of time."""
    edges = np.linspace(series.hours[0], series.hours[-1], stretches + 1)[1:-1]
    which = np.digitize(series.hours, edges)
    values = np.asarray(series.values)
    return [float(np.median(values[which == n])) for n in range(stretches) if (which == n).any()]


def judge_memory(name: str, series: Series, bounds: Bounds) -> list[str]:
    """What is wrong with it; empty: nothing."""
    late = series.after(bounds.warm_up)
    if len(late.hours) < _FEWEST:
        return [f"{name}: only {len(late.hours)} samples after the warm-up"]
    found = trend(late)
    if found.per_day <= bounds.day_mb:
        return []
    grown = f"{found.per_hour:.2f} MB an hour, which is {found.per_day:.0f} MB a day"
    return [f"{name}: grows by {grown}; {bounds.day_mb:g} MB are allowed"]


def judge_count(name: str, series: Series, bounds: Bounds) -> list[str]:
    """The same of descriptors or threads."""
    late = series.after(bounds.warm_up)
    if len(late.hours) < _FEWEST:
        return [f"{name}: only {len(late.hours)} samples after the warm-up"]
    wrong, medians = [], usual(late)
    if medians[-1] > medians[0]:
        wrong.append(f"{name}: {medians[-1]:g} at the end, {medians[0]:g} before")
    most, median = max(late.values), float(np.median(late.values))
    if most > median + bounds.spare:
        wrong.append(f"{name}: {most:g} at worst, {median:g} usually")
    return wrong


def judge_disk(name: str, series: Series, bounds: Bounds) -> list[str]:
    """Whether a folder stayed below its bound."""
    most = max(series.values)
    if bounds.disk_mb is None or most <= bounds.disk_mb:
        return []
    return [f"{name}: {most:.1f} MB at worst, {bounds.disk_mb:g} MB are allowed"]


def series_of(samples: Sequence[dict[str, dict[str, float]]], who: str, what: str) -> Series:
    """One figure of a recording; samples without it are left out."""
    found = [(s["time"]["hours"], s[who][what]) for s in samples if what in s.get(who, {})]
    return Series(tuple(h for h, _ in found), tuple(v for _, v in found))
