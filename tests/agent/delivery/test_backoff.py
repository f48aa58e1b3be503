import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.delivery import Backoff


@pytest.mark.parametrize(
    ("failures", "chance", "pause_s"),
    [(1, 0.0, 0.25), (1, 1.0, 0.5), (2, 1.0, 1.0), (4, 0.5, 3.0), (8, 1.0, 60.0), (9, 0.0, 30.0)],
)
def test_pauses_double_up_to_the_cap_with_half_left_to_chance(failures, chance, pause_s):
    assert Backoff(first_s=0.5, cap_s=60.0).pause_s(failures, chance) == pytest.approx(pause_s)


@given(failures=st.integers(1, 10**9), chance=st.floats(0, 1))
def test_a_pause_is_never_zero_nor_over_the_cap(failures, chance):
    assert 0.25 <= Backoff(first_s=0.5, cap_s=60.0).pause_s(failures, chance) <= 60.0
