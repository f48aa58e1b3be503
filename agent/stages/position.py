"""Which positions are believed.

A position that lies farther from the one before than anybody moves is a leap: a faulty or a
deceived receiver. From then on nothing is known, until the receiver has said consistent things for
`SETTLE_S`; a leap back is one too. A receiver that is off from its first word, or led away slowly,
is not noticed here.
"""

from __future__ import annotations

import math
from typing import Final

from agent.values import Monotonic
from agent.values.place import Fix

FASTEST_M_S: Final = 100.0
"""360 km/h: a camera in a car, a train, a helicopter."""
SLACK_M: Final = 50.0
"""What a receiver between houses may be off, beside the accuracy that it states."""
SETTLE_S: Final = 10.0
EARTH_M: Final = 6_371_008.8
"""Mean radius."""


def distance_m(one: Fix, other: Fix) -> float:
    """Along the great circle, metres."""
    lat, lat_other = math.radians(one.lat), math.radians(other.lat)
    half_lat = (lat_other - lat) / 2
    half_lon = math.radians(other.lon - one.lon) / 2
    square = math.sin(half_lat) ** 2 + math.cos(lat) * math.cos(lat_other) * math.sin(half_lon) ** 2
    return 2 * EARTH_M * math.asin(math.sqrt(min(1.0, square)))


def follows(before: Fix, after: Fix) -> bool:
    """Whether somebody who was there can be here now."""
    reach = FASTEST_M_S * max(0.0, after.at - before.at) + SLACK_M
    return distance_m(before, after) <= reach + (before.accuracy_m or 0) + (after.accuracy_m or 0)


def fresh(fix: Fix | None, *, now: Monotonic, max_age_s: float) -> Fix | None:
    """The fix, unless it is older than `max_age_s` seconds."""
    return fix if fix is not None and now - fix.at <= max_age_s else None


class Belief:
    """Takes fixes in their order.

    Attributes:
        fix: the newest one that is believed; None before the first, and after a leap.
        leaps: how many there were.
    """

    def __init__(self) -> None:
        self.fix: Fix | None = None
        self.leaps = 0
        self._last: Fix | None = None
        self._settled_at: Monotonic | None = None

    def take(self, fix: Fix) -> None:
        """The receiver says so."""
        if self._last is not None and not follows(self._last, fix):
            self.leaps += 1
            self._settled_at = Monotonic(fix.at + SETTLE_S)
        self._last = fix
        settled = self._settled_at is None or fix.at >= self._settled_at
        self.fix = fix if settled else None
