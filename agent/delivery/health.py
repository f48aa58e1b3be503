"""From what the device counts to a health message in which no individual shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from agent.messages.health import FacesPerMinute, Frames, Latencies, Latency
from agent.values import Monotonic

BINS: Final[tuple[tuple[float, FacesPerMinute], ...]] = (
    (10, "0-9"), (30, "10-29"), (100, "30-99"), (300, "100-299"), (math.inf, "300+"),
)  # fmt: skip
"""(below, name). The lowest holds an empty street as well as nine passers-by."""
EPSILON: Final = 0.5
"""How much one passer-by changes the odds of any bin: by a factor of at most e**0.5, 1.65."""
_WINDOW_S: Final = 60.0
"""A shorter one would make a bin's edge lie at fewer people."""
_FRAMES: Final = 100
_TEN: Final = 10
_MEMORY_MB: Final = 16
_STEPS: Final = (1.0, 2.0, 5.0, 10.0)


def blur(count: int, chances: tuple[float, float]) -> int:
    """A count plus two-sided geometric noise, so that a bin's edge tells nothing of one person.

    Ghosh, Roughgarden, Sundararajan, Universally Utility-Maximizing Privacy Mechanisms, STOC 2009:
    the difference of two geometric variables, with P(k) falling by e**-EPSILON at each step.

    Args:
        count: of people.
        chances: two uniform numbers in [0, 1).
    """
    one, other = (math.floor(-math.log(1.0 - chance) / EPSILON) for chance in chances)
    return count + one - other


def tens(count: int, chances: tuple[float, float, float] = (0.0, 0.0, 0.5)) -> int:
    """A count of people as it may be kept: blurred, and in tens.

    It is rounded up with the probability that makes sums right: 57 is 60 in seven of ten times.

    Args:
        count: of people.
        chances: uniform numbers in [0, 1): two as `blur`, one for rounding. The default does not
            blur, and rounds to the nearest.
    """
    whole, rest = divmod(max(0, blur(count, chances[:2])), _TEN)
    return (whole + (chances[2] < rest / _TEN)) * _TEN


def bin_of(per_minute: float) -> FacesPerMinute:
    """The bin of a rate; what is below zero after blurring is in the lowest."""
    return next(name for below, name in BINS if per_minute < below)


class FaceRate:
    """Faces per minute, told anew once for each minute and never of less time.

    Args:
        chance: uniform numbers in [0, 1).
        now: monotonic.
    """

    def __init__(self, chance: Callable[[], float], *, now: Monotonic) -> None:
        self._chance = chance
        self._since, self._before = now, 0
        self._bin: FacesPerMinute = BINS[0][1]

    def of(self, total: int, *, now: Monotonic) -> FacesPerMinute:
        """The bin of the latest whole window.

        Args:
            total: tracks begun since the start.
            now: monotonic.
        """
        passed = now - self._since
        if passed >= _WINDOW_S:
            blurred = blur(total - self._before, (self._chance(), self._chance()))
            self._bin = bin_of(blurred * 60.0 / passed)
            self._since, self._before = now, total
        return self._bin


@dataclass(slots=True)
class FrameCount:
    """Frames since the message before, in hundreds; what was rounded off is counted next time."""

    told_processed: int = 0
    told_dropped: int = 0

    def since(self, processed: int, dropped: int) -> Frames:
        """Given the totals since the start."""
        new = _hundreds(processed - self.told_processed), _hundreds(dropped - self.told_dropped)
        self.told_processed += new[0]
        self.told_dropped += new[1]
        return Frames(processed=new[0], dropped=new[1])


def latencies(summary: Mapping[str, Mapping[str, float]]) -> Latencies:
    """Of a report's `latency_ms`, those that tell nothing of who was there."""
    return Latencies(
        detect=_latency(summary.get("detect")), alert_to_ack=_latency(summary.get("alert_to_ack"))
    )


def memory_step_mb(peak_mb: float) -> int:
    """Rounded up to a multiple of 16 MB."""
    return math.ceil(peak_mb / _MEMORY_MB) * _MEMORY_MB


def step_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50, ... times any power of ten; 0 for 0."""
    if value <= 0:
        return 0.0
    scale = 10.0 ** math.floor(math.log10(value))
    return next((round(step * scale, 6) for step in _STEPS if value <= step * scale), 10 * scale)


def _latency(found: Mapping[str, float] | None) -> Latency | None:
    if not found or not found["max"]:
        return None
    return Latency(p50=step_up(found["p50"]), p95=step_up(found["p95"]))


def _hundreds(count: int) -> int:
    return max(0, (count + _FRAMES // 2) // _FRAMES * _FRAMES)
