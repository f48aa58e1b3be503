from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.metrics.intervals import Z95, wilson


def test_by_hand():
    # z = 2 and 1 of 4: centre (1/4 + 2/4) / 2, half width 2 * sqrt(3/64 + 1/16) / 2.
    assert wilson(1, 4, z=2.0) == pytest.approx((0.375 - 0.4375**0.5 / 2, 0.375 + 0.4375**0.5 / 2))


@pytest.mark.parametrize(("successes", "trials"), [(1, 10), (5, 10), (994, 1000), (3, 10**7)])
def test_both_ends_are_z_deviations_from_the_share(successes, trials):
    for end in wilson(successes, trials):
        deviation = math.sqrt(end * (1 - end) / trials)
        assert abs(successes / trials - end) == pytest.approx(Z95 * deviation)


def test_nothing_and_everything():
    assert wilson(0, 10) == (0.0, pytest.approx(Z95**2 / (10 + Z95**2)))
    assert wilson(10, 10) == (pytest.approx(10 / (10 + Z95**2)), 1.0)


def test_no_trials_tell_nothing():
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 5), (6, 5)])
def test_impossible_counts_are_refused(successes, trials):
    with pytest.raises(ValueError, match=r"expected 0\.\.5"):
        wilson(successes, trials)


@given(st.integers(1, 10**9), st.data())
def test_holds_the_share_and_narrows_with_more_trials(trials, data):
    successes = data.draw(st.integers(0, trials))
    low, high = wilson(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1
    more_low, more_high = wilson(successes * 4, trials * 4)
    assert more_high - more_low < high - low
