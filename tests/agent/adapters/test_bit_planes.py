"""Plain sums are the oracle of the bit-sliced ones."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.adapters import bit_planes as module
from agent.adapters.bit_planes import at_least, packed, rows_of


@given(st.integers(1, 200), st.integers(1, 70), st.integers(0, 10_000), st.data())
@settings(max_examples=80, deadline=None)
def test_it_finds_the_rows_of_which_enough_planes_say_yes(rows, columns, seed, data):
    rng = np.random.default_rng(seed)
    bits = rng.random((rows, columns)) < 0.5
    agree = rng.random(columns) < data.draw(st.sampled_from([0, 0.5, 1]))
    counts = (bits == agree).sum(axis=1)
    least = data.draw(st.integers(-1, columns + 3))
    planes = packed(bits)
    before, spare = planes.copy(), []
    for _ in range(2):
        plane = at_least(least, list(planes[agree]), list(planes[~agree]), spare)
        found = rows_of(plane)
        assert found[found < rows].tolist() == np.flatnonzero(counts >= least).tolist()
        assert not any(buffer.any() for buffer in spare)
    np.testing.assert_array_equal(planes, before)


@given(st.lists(st.booleans(), min_size=1, max_size=300))
def test_packing_keeps_every_row(bits):
    column = np.array(bits)
    (plane,) = packed(column[:, None])
    assert rows_of(plane).tolist() == np.flatnonzero(column).tolist()


def test_a_long_plane_is_counted_part_by_part(monkeypatch):
    monkeypatch.setattr(module, "_TOGETHER", 3)
    bits = np.random.default_rng(4).random((64 * 7, 9)) < 0.5
    plane = at_least(5, list(packed(bits)), [], spare := [])
    assert rows_of(plane).tolist() == np.flatnonzero(bits.sum(axis=1) >= 5).tolist()
    assert {len(buffer) for buffer in spare} == {3}
