from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.metrics.curves import FmrCurve, fmr_curve, similarity_grid

GRID = np.array([0.0, 0.25, 0.5, 0.75])
SCORES = np.array([-0.5, 0.0, 0.1, 0.25, 0.3, 0.5, 0.6, 0.6], np.float32)
ARRAYS = hnp.arrays(
    np.float32, st.integers(0, 60), elements=st.floats(-1, 1, width=32, allow_subnormal=False)
)


def curve():
    return fmr_curve(SCORES, GRID)


def test_counts_at_or_over():
    assert curve().accepted.tolist() == [7, 5, 3, 0]
    assert curve().total == 8


@pytest.mark.parametrize(
    ("similarity", "expected"),
    [(-0.9, 1.0), (0.0, 7 / 8), (0.3, 5 / 8), (0.5, 3 / 8), (0.6, 3 / 8), (0.75, 0.0), (2, 0.0)],
)
def test_fmr_is_never_read_too_low(similarity, expected):
    assert curve().fmr(similarity) == expected


@pytest.mark.parametrize(
    ("fmr", "expected"),
    [(1.0, 0.0), (0.9, 0.0), (0.7, 0.25), (5 / 8, 0.25), (0.4, 0.5), (3 / 8, 0.5), (0.3, None)],
)
def test_similarity_only_where_it_was_measured(fmr, expected):
    assert curve().similarity_at(fmr) == expected


def test_points_for_a_card():
    assert curve().points([0.9, 0.7, 0.68, 0.4, 0.1]) == [(0.0, 7 / 8), (0.25, 5 / 8), (0.5, 3 / 8)]
    assert curve().points([0.4, 0.7], least=5) == [(0.25, 5 / 8)]
    assert curve().points([0.001]) == []


def test_a_curve_that_ends_early_gives_no_similarity():
    early = fmr_curve(SCORES, GRID[:2])
    assert early.floor == 5 / 8
    assert early.similarity_at(0.5) is None
    assert fmr_curve(np.ones(3), GRID).similarity_at(0.9) is None


def test_the_upper_bound_lies_over_the_share_and_never_at_zero():
    assert curve().fmr_high(0.5) > 3 / 8
    assert curve().fmr_high(0.75) > 0
    assert curve().fmr_high(-0.9) == 1.0


def test_no_comparisons_tell_nothing():
    empty = fmr_curve(np.zeros(0), GRID)
    assert empty.fmr(0.75) == 1.0
    assert empty.similarity_at(0.5) is None


def test_grid_has_exact_steps():
    grid = similarity_grid()
    assert (len(grid), grid[0], grid[1363], grid[-1]) == (2001, -1.0, 0.363, 1.0)


@given(ARRAYS, ARRAYS)
def test_parts_add_up_to_the_whole(a, b):
    together = fmr_curve(a, GRID).add(fmr_curve(b, GRID))
    assert together.accepted.tolist() == [int((np.append(a, b) >= x).sum()) for x in GRID]
    assert together.total == len(a) + len(b)


@given(ARRAYS, st.floats(0.0001, 1))
def test_a_similarity_given_keeps_its_promise(scores, fmr):
    counted = fmr_curve(scores, similarity_grid(0.01))
    similarity = counted.similarity_at(fmr)
    if similarity is not None:
        assert np.mean(scores >= np.float32(similarity)) <= fmr + 1e-9
        assert counted.fmr(similarity) <= fmr + 1e-9


def test_only_equal_grids_add():
    with pytest.raises(ValueError, match="different similarities"):
        curve().add(fmr_curve(SCORES, GRID + 0.1))


@pytest.mark.parametrize(
    ("similarities", "accepted", "total", "message"),
    [
        ([0.0, 0.1], [1], 1, "one length"),
        ([], [], 1, "must rise"),
        ([0.1, 0.1], [1, 1], 1, "must rise"),
        ([0.0, 0.1], [1, 2], 3, "must fall"),
        ([0.0, 0.1], [5, 2], 3, "must fall"),
        ([0.0, 0.1], [1, -1], 3, "must fall"),
    ],
)
def test_what_is_no_curve_is_refused(similarities, accepted, total, message):
    with pytest.raises(ValueError, match=message):
        FmrCurve(np.array(similarities), np.array(accepted, np.int64), total)
