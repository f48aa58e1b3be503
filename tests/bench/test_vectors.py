from __future__ import annotations

import numpy as np
import pytest

from tests.bench import vectors


def test_templates_are_unit_vectors_from_their_seed():
    made = vectors.templates(50, seed=1)
    assert made.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(made, vectors.templates(50, seed=1))
    assert not np.array_equal(made, vectors.templates(50, seed=2))


def test_strangers_are_as_much_alike_as_real_ones():
    made = vectors.templates(1500, seed=3)
    scores = (made @ made.T)[np.triu_indices(len(made), 1)]
    assert np.quantile(scores, [0.5, 0.99, 0.999]) == pytest.approx([0.082, 0.288, 0.356], abs=0.01)


def test_new_pictures_are_as_much_alike_as_real_ones():
    listed = vectors.templates(1000, seed=1)
    asked = vectors.new_pictures(listed, 500, seed=2)
    best = vectors.exact_best(listed, asked)
    assert np.median(best) == pytest.approx(vectors.GENUINE_MEAN, abs=0.02)
    assert np.mean(best > 0.56) == pytest.approx(0.93, abs=0.05)


def test_the_exact_best_does_not_depend_on_blocks():
    listed = vectors.templates(30, seed=1)
    asked = vectors.templates(7, seed=2)
    expected = [max(float(row @ probe) for row in listed) for probe in asked]
    assert vectors.exact_best(listed, asked, block=3) == pytest.approx(expected, abs=1e-6)


def test_pictures_lie_within_their_band():
    listed = vectors.templates(300, seed=1)
    asked = vectors.pictures_within(listed, 0.7, 0.8, 100, seed=2)
    best, next_best = vectors.exact_two(listed, asked, block=7)
    assert best == pytest.approx(vectors.exact_best(listed, asked), abs=1e-6)
    assert ((best > 0.7 - 1e-5) & (best < 0.8 + 1e-5)).all()
    assert next_best == pytest.approx(np.sort(asked @ listed.T, axis=1)[:, -2], abs=1e-6)
