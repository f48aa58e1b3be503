"""Areas in words, for people to see that a place is where they mean it to be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from agent.values.bounds import Area

_KM_PER_DEGREE: Final = 111.2
"""Of latitude: 6,371 km of mean radius, 360 degrees around."""
_FAR_KM: Final = 1000.0
"""No agency of a city or county works over so much; swapped coordinates usually lie further."""


def place_lines(areas: Sequence[Area]) -> list[str]:
    """Where cameras may look, one area a line, and what looks like a slip."""
    return [*map(area_line, areas), *_slips(areas)]


def area_line(area: Area) -> str:
    """Its middle in north and east, and its size."""
    lat, lon = _middle(area)
    tall, wide = _size_km(area)
    north, east = "N" if lat >= 0 else "S", "E" if lon >= 0 else "W"
    where = f"{abs(lat):.4f} {north} {abs(lon):.4f} {east}"
    return f"area {area.name}: around {where}, {tall:.3g} km north to south, {wide:.3g} km across"


def _slips(areas: Sequence[Area]) -> list[str]:
    lines = [
        f"area {one.name}: is over {_FAR_KM:g} km long; a corner is [latitude, longitude]"
        for one in areas
        if max(_size_km(one)) > _FAR_KM
    ]
    for first, second in pairwise(areas):
        apart = _apart_km(_middle(first), _middle(second))
        if apart > _FAR_KM:
            lines.append(
                f"areas {first.name} and {second.name}: are {apart:.0f} km apart; are latitude "
                "and longitude of one the wrong way round?"
            )
    return lines


def _middle(area: Area) -> tuple[float, float]:
    lats, lons = zip(*area.corners, strict=True)
    return (min(lats) + max(lats)) / 2, (min(lons) + max(lons)) / 2


def _size_km(area: Area) -> tuple[float, float]:
    lats, lons = zip(*area.corners, strict=True)
    shrink = math.cos(math.radians(_middle(area)[0]))
    return (max(lats) - min(lats)) * _KM_PER_DEGREE, (max(lons) - min(lons)) * (
        _KM_PER_DEGREE * shrink
    )


def _apart_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Along the great circle."""
    (lat1, lon1), (lat2, lon2) = ([math.radians(part) for part in place] for place in (one, other))
    half = (
        math.sin((lat2 - lat1) / 2) ** 2
        + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    )
    return 2 * math.degrees(math.asin(min(1.0, math.sqrt(half)))) * _KM_PER_DEGREE
