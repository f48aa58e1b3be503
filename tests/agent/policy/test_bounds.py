"""Places and times."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.policy.bounds import why_outside, within_area, within_schedule
from agent.values import Monotonic, Wall
from agent.values.bounds import Area, Window
from agent.values.place import Fix
from tests.support.policies import DAY, HOUR, NOW

SQUARE = Area("square", ((0, 0), (0, 10), (10, 10), (10, 0)))
ELL = Area("ell", ((0, 0), (0, 10), (5, 10), (5, 5), (10, 5), (10, 0)))
coordinate = st.integers(-40, 40).map(float)


@pytest.mark.parametrize(
    ("area", "point", "inside"),
    [
        (SQUARE, (5, 5), True),
        (SQUARE, (-1, 5), False),
        (SQUARE, (5, 11), False),
        (SQUARE, (11, 5), False),
        (ELL, (2, 8), True),
        (ELL, (8, 2), True),
        (ELL, (8, 8), False),
    ],
)
def test_points(area: Area, point: tuple[float, float], inside: bool) -> None:
    assert within_area(*point, area) is inside
    backwards = Area("b", area.corners[::-1])
    assert within_area(*point, backwards) is inside


@given(
    st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=8, unique=True),
    coordinate,
    coordinate,
)
def test_as_opencv_says(corners: list[tuple[float, float]], lat: float, lon: float) -> None:
    """Off the edges, and by the even-odd rule, both must agree."""
    contour = np.array(corners, np.float32).reshape(-1, 1, 2)
    point = (lat + 0.25, lon + 0.25)
    signed = cv2.pointPolygonTest(contour, point, measureDist=False)
    if signed:
        assert within_area(*point, Area("x", tuple(corners))) == (signed > 0)


def fix(**changes: float | None) -> Fix:
    values = {"lat": 5.0, "lon": 5.0, "accuracy_m": 5.0, "time": None, "at": 100.0} | changes
    return Fix(**values)


@pytest.mark.parametrize(
    ("given", "now", "says"),
    [
        (fix(), 130.0, ""),
        (fix(), 130.1, "s old"),
        (fix(), 99.0, "s old"),
        (None, 100.0, "no position"),
        (fix(accuracy_m=None), 100.0, "uncertain"),
        (fix(accuracy_m=50.1), 100.0, "uncertain"),
        (fix(accuracy_m=float("nan")), 100.0, "uncertain"),
        (fix(lat=-1.0), 100.0, "outside square"),
        (fix(lat=float("nan")), 100.0, "outside square"),
    ],
)
def test_what_is_not_known_is_outside(given: Fix | None, now: float, says: str) -> None:
    why = why_outside(given, [SQUARE], max_age_s=30, max_error_m=50, now=Monotonic(now))
    assert (says in why) if says else why == ""
    assert why_outside(given, [], max_age_s=30, max_error_m=50, now=Monotonic(now)) == ""


def test_one_of_several_areas_is_enough() -> None:
    far = Area("far", ((50, 50), (50, 51), (51, 51)))
    assert why_outside(fix(), [far, SQUARE], max_age_s=30, max_error_m=50, now=Monotonic(100)) == ""


@pytest.mark.parametrize(
    ("hours", "inside"),
    [(-0.01, False), (0, True), (1.99, True), (2, False), (24, False), (168, True)],
)
def test_a_window_comes_back_every_week(hours: float, inside: bool) -> None:
    friday = Window(4, 8 * 3600, 10 * 3600)
    assert within_schedule([friday], now=Wall(NOW + hours * HOUR)) is inside


def test_days_begin_and_end_at_midnight_utc() -> None:
    midnight = NOW - NOW % DAY
    whole = Window(4, 0, 86_400)
    assert within_schedule([whole], now=Wall(midnight))
    assert within_schedule([whole], now=Wall(midnight + DAY - 0.001))
    assert not within_schedule([whole], now=Wall(midnight + DAY))
    assert not within_schedule([whole], now=Wall(midnight - 0.001))
    assert within_schedule([], now=Wall(midnight))
