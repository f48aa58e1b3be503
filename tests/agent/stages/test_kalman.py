"""Filters for boxes: what must hold whatever the numbers."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.stages import kalman
from agent.vision.motion import Motion
from tests.support.faces import boxes_of

seconds = st.floats(0, 2)
faces = st.lists(
    st.tuples(st.floats(-500, 2000), st.floats(-500, 2000), st.floats(8, 400)),
    min_size=1,
    max_size=5,
)


@settings(max_examples=50, deadline=None)
@given(faces, seconds, seconds)
def test_predicting_twice_equals_predicting_once(
    people: list[tuple[float, float, float]], a: float, b: float
) -> None:
    bank = kalman.start(boxes_of(people))
    twice = kalman.predict(kalman.predict(bank, a), b)
    assert np.allclose(twice, kalman.predict(bank, a + b), rtol=1e-9, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(faces, seconds, seconds)
def test_variances_stay_positive_and_consistent(
    people: list[tuple[float, float, float]], a: float, b: float
) -> None:
    bank = kalman.start(boxes_of(people))
    for dt in (a, b, 0.0):
        bank = kalman.correct(kalman.predict(bank, dt), boxes_of(people))
        var, cov, rate = bank[:, kalman.VAR], bank[:, kalman.COV], bank[:, kalman.VAR_RATE]
        assert (var > 0).all()
        assert (rate > 0).all()
        assert (var * rate - cov**2 >= -1e-6 * var * rate).all()


def test_a_steady_walk_is_learnt() -> None:
    bank = kalman.start(boxes_of([(100, 50, 40)]))
    for step in range(1, 16):
        bank = kalman.correct(kalman.predict(bank, 0.1), boxes_of([(100 + 6 * step, 50, 40)]))
    assert np.allclose(bank[0, kalman.RATE], (60, 0, 0, 0), atol=2)
    later = kalman.predict(bank, 1.0)
    assert abs(later[0, kalman.VALUE, 0] - 250) < 4


def test_what_is_seen_less_surprises_less() -> None:
    bank = kalman.start(boxes_of([(100, 50, 40)]))
    away = boxes_of([(130, 50, 40)])
    soon = kalman.surprise(kalman.predict(bank, 0.03), away)
    late = kalman.surprise(kalman.predict(bank, 0.5), away)
    assert late < soon


def test_a_shift_of_the_camera_moves_place_size_and_speed() -> None:
    bank = kalman.start(boxes_of([(100, 50, 40)]))
    bank[0, kalman.RATE] = (10, 0, 1, 1)
    quarter_turn_and_double = Motion(np.array([[0.0, -2, 5], [2.0, 0, 7]]))
    moved = kalman.shift(bank, quarter_turn_and_double)
    assert np.allclose(moved[0, kalman.VALUE], (-95, 207, 80, 80))
    assert np.allclose(moved[0, kalman.RATE], (0, 20, 2, 2))
    assert np.allclose(moved[0, kalman.VAR], 4 * bank[0, kalman.VAR])


def test_boxes_come_back_as_they_went_in() -> None:
    boxes = boxes_of([(100, 50, 40), (7, -3, 12)])
    assert np.allclose(kalman.to_boxes(kalman.start(boxes)), boxes, atol=1e-4)


def test_nobody_is_a_bank_too() -> None:
    empty = kalman.start(np.zeros((0, 4)))
    assert kalman.predict(empty, 1.0).shape == (0, 5, 4)
    assert kalman.surprise(empty, boxes_of([(1, 1, 10)])).shape == (0, 1)
