"""The simulated receiver of positions: truth, error, and deceit."""

from __future__ import annotations

import pytest

from firmware_sim.gps import Drift, GpsState, Move, Sky, Spoof, report, step

HOME = GpsState(0.0, truth=Move(47.6, -122.3))


def place(state: GpsState) -> tuple[float, float]:
    found = report(state, wall=0.0).place
    assert found is not None
    return found


def test_it_moves_as_it_was_told() -> None:
    state = step(HOME, Move(47.6, -122.3, north_m_s=1.5, east_m_s=2.0), now=10.0)
    state = step(state, None, now=110.0)
    lat, lon = place(state)
    assert (lat - 47.6) * 111_195 == pytest.approx(150, abs=0.01)
    assert (lon + 122.3) * 111_195 * 0.67430 == pytest.approx(200, abs=0.2)
    told = report(state, wall=5.0)
    assert (told.wall, told.speed_m_s, round(told.track_deg, 1)) == (5.0, 2.5, 53.1)


def test_too_few_satellites_are_no_fix() -> None:
    state = step(HOME, Sky(3), now=1.0)
    assert report(state, wall=0.0).place is None
    assert place(step(state, Sky(4, 12.0), now=2.0)) == (47.6, -122.3)


def test_drift_grows_and_ends_deceit_is_there_at_once() -> None:
    state = step(step(HOME, Drift(2.0, 0.0), now=0.0), None, now=50.0)
    assert place(state)[0] == pytest.approx(47.6 + 100 / 111_195)
    state = step(state, Drift(0.0, 0.0), now=60.0)
    assert place(state) == (47.6, -122.3)
    state = step(state, Spoof(5000.0, 0.0), now=60.0)
    assert place(state)[0] == pytest.approx(47.6 + 5000 / 111_195)
    assert place(step(state, Spoof(0.0, 0.0), now=61.0)) == (47.6, -122.3)


def test_across_the_date_line_and_at_the_pole() -> None:
    state = step(GpsState(0.0, truth=Move(0.0, 179.9999, 0.0, 100.0)), None, now=10.0)
    assert -180 <= place(state)[1] < -179.9
    state = step(GpsState(0.0, truth=Move(89.9999, 0.0, 100.0, 0.0)), None, now=10.0)
    assert place(state)[0] == 90.0


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="time goes"):
        step(HOME, None, now=-1.0)
