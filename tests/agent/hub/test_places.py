from __future__ import annotations

import re

from agent.hub.places import area_line, place_lines
from agent.values.bounds import Area
from tests.support.policies import a_policy

MARKET = [[51.482, -3.181], [51.482, -3.176], [51.479, -3.178]]
DOCK = [[51.462, -3.171], [51.462, -3.166], [51.459, -3.168]]


def swapped(polygon: list[list[float]]) -> list[list[float]]:
    return [corner[::-1] for corner in polygon]


def lines(*polygons: list[list[float]]) -> list[str]:
    areas = [{"name": f"a{number}", "polygon": one} for number, one in enumerate(polygons)]
    return place_lines(a_policy(bounds={"areas": areas}).areas)


def test_an_area_is_told_by_hemisphere_and_size() -> None:
    (line,) = lines(MARKET)
    assert line == (
        "area a0: around 51.4805 N 3.1785 W, 0.334 km north to south, 0.346 km across"
    )  # fmt: skip
    assert "around 3.1785 S 51.4805 E" in lines(swapped(MARKET))[0]
    assert "0 km" in area_line(Area("line", ((1, 1), (1, 1), (1, 2))))


def test_areas_a_continent_apart_look_like_a_slip() -> None:
    assert len(lines(MARKET, DOCK)) == 2
    *_, last = lines(MARKET, swapped(DOCK))
    assert re.fullmatch(r"areas a0 and a1: are \d{4} km apart; are latitude and .* round\?", last)


def test_one_corner_the_wrong_way_round_makes_a_long_area() -> None:
    long = [*MARKET[:2], [-3.178, 51.479]]
    assert any("is over 1000 km long; a corner is [latitude" in one for one in lines(long))
    assert not any("long" in one for one in lines([*MARKET[:2], [51.4, -3.2]]))
