"""Whether a place is within an area, and a moment within a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agent.values import Monotonic, Wall
from agent.values.bounds import DAY_S, Area, Window
from agent.values.place import Fix

_WEEK_DAYS: Final = 7
_EPOCH_DAY: Final = 3
"""1970-01-01 was a Thursday; 0 is Monday."""


def within_area(lat: float, lon: float, area: Area) -> bool:
    """Whether a point is in a polygon, by counting the edges that a ray to the east crosses.

    The map is taken as flat within a polygon, which shifts an edge of 10 km by less than 10 m. A
    point on an edge may be on either side of it.
    """
    inside, corners = False, area.corners
    for (lat_a, lon_a), (lat_b, lon_b) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (lat_a > lat) != (lat_b > lat):
            at = lon_a + (lat - lat_a) / (lat_b - lat_a) * (lon_b - lon_a)
            inside ^= lon < at
    return inside


def why_outside(
    fix: Fix | None,
    areas: Sequence[Area],
    *,
    max_age_s: float,
    max_error_m: float,
    now: Monotonic,
) -> str:
    """Why the device counts as outside all of these; empty when it is in one, or there are none.

    Args:
        fix: the latest position.
        areas: one of them is enough.
        max_age_s: of a position that counts, s.
        max_error_m: of a position that counts, metres.
        now: monotonic.
    """
    if not areas:
        return ""
    if fix is None:
        return "there is no position"
    if not 0 <= now - fix.at <= max_age_s:
        return f"the position is {now - fix.at:.0f} s old"
    if fix.accuracy_m is None or not fix.accuracy_m <= max_error_m:
        return "the position is too uncertain"
    if any(within_area(fix.lat, fix.lon, one) for one in areas):
        return ""
    return f"outside {', '.join(one.name for one in areas)[:100]}"


def within_schedule(schedule: Sequence[Window], *, now: Wall) -> bool:
    """Whether a moment is in one of the windows; always when there are none."""
    if not schedule:
        return True
    days, second = divmod(int(now), DAY_S)
    day = (days + _EPOCH_DAY) % _WEEK_DAYS
    return any(one.day == day and one.begin_s <= second < one.end_s for one in schedule)
