"""Where and when something may happen."""

from __future__ import annotations

from dataclasses import dataclass

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Area:
    """A polygon on the map.

    Attributes:
        name: for people.
        corners: (latitude, longitude) in degrees, WGS 84, in order around it; closed by itself.
    """

    name: str
    corners: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Window:
    """A time of the week that comes back, in UTC.

    Attributes:
        day: 0 is Monday.
        begin_s, end_s: seconds of that day, 0 <= begin_s < end_s <= 86400; the end is outside.
    """

    day: int
    begin_s: int
    end_s: int
