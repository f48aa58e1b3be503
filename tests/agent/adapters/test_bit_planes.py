"""Plain sums are the oracle of the bit-sliced ones."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.adapters.bit_planes import Sum, packed, rows_of


@given(st.integers(1, 200), st.integers(1, 40), st.integers(0, 10_000), st.data())
@settings(max_examples=80, deadline=None)
def test_it_finds_the_rows_whose_weighted_sum_is_enough(rows, columns, seed, data):
    rng = np.random.default_rng(seed)
    bits = rng.random((rows, columns)) < 0.5
    weights = rng.integers(0, 3, columns)
    weights[0] = 1
    agree = rng.random(columns) < 0.5
    sums = ((bits == agree) * weights).sum(axis=1)
    least = data.draw(st.integers(0, int(weights.sum()) + 3))
    planes = packed(bits)
    before = planes.copy()
    spare = []
    for _ in range(2):
        found = rows_of(Sum(list(planes), weights, agree, spare).at_least(least))
        assert found[found < rows].tolist() == np.flatnonzero(sums >= least).tolist()
        assert not any(buffer.any() for buffer in spare)
    np.testing.assert_array_equal(planes, before)


@given(st.lists(st.booleans(), min_size=1, max_size=300))
def test_packing_keeps_every_row(bits):
    column = np.array(bits)
    (plane,) = packed(column[:, None])
    assert rows_of(plane).tolist() == np.flatnonzero(column).tolist()
