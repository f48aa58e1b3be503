"""Which positions are believed."""

from __future__ import annotations

import pytest

from agent.stages.position import SETTLE_S, Belief, distance_m, follows, fresh
from agent.values import Monotonic
from agent.values.place import Fix


def fix(lat: float, lon: float, at: float, accuracy_m: float | None = 5.0) -> Fix:
    return Fix(lat, lon, accuracy_m, None, Monotonic(at))


@pytest.mark.parametrize(
    ("one", "other", "metres"),
    [
        ((0, 0), (0, 1), 111_195),  # a degree of the equator
        ((47.6062, -122.3321), (47.2529, -122.4443), 40_189),  # Seattle to Tacoma
        ((0, 179.999), (0, -179.999), 222.4),
        ((90, 0), (90, 120), 0),
    ],
)
def test_distances(one: tuple[float, float], other: tuple[float, float], metres: float) -> None:
    assert distance_m(fix(*one, 0), fix(*other, 0)) == pytest.approx(metres, rel=2e-3, abs=1e-3)


def test_a_car_is_followed_a_leap_is_not() -> None:
    street = fix(47.6, -122.3, 0)
    assert follows(street, fix(47.6009, -122.3, 1))  # 100 m in a second
    assert not follows(street, fix(47.61, -122.3, 1))  # 1.1 km
    assert follows(street, fix(47.61, -122.3, 30))
    assert follows(street, fix(47.61, -122.3, 1, accuracy_m=1000.0))


def test_after_a_leap_nothing_is_known_until_the_receiver_was_consistent() -> None:
    belief = Belief()
    for second in range(5):
        belief.take(fix(47.6, -122.3, second))
    belief.take(fix(48.6, -122.3, 5))
    assert belief.fix is None
    for second in range(6, int(5 + SETTLE_S)):
        belief.take(fix(48.6, -122.3, second))
        assert belief.fix is None
    belief.take(fix(48.6, -122.3, 5 + SETTLE_S))
    assert belief.fix is not None
    assert belief.leaps == 1


def test_a_receiver_that_leaps_to_and_fro_is_never_believed() -> None:
    belief = Belief()
    belief.take(fix(47.6, -122.3, 0))
    for second in range(1, 60):
        belief.take(fix(47.6 + second % 2, -122.3, second))
        assert belief.fix is None


def test_a_fix_is_fresh_up_to_its_age() -> None:
    known = fix(47.6, -122.3, 100)
    assert fresh(known, now=Monotonic(130.0), max_age_s=30) is known
    assert fresh(known, now=Monotonic(130.1), max_age_s=30) is None
    assert fresh(None, now=Monotonic(0.0), max_age_s=30) is None
