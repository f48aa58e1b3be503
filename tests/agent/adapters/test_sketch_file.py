"""A sketch that was kept is the sketch; of any other list it is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agent.adapters.search_trial import Trial
from agent.adapters.sketch import Sketch
from agent.adapters.sketch_file import frozen, thawed
from agent.values import Vectors
from tests.support.lists import units

TRIAL = Trial("sketch", 1.0, 2000, 0.1, 1.0)


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return units(3000, 64)


@pytest.fixture(scope="module")
def sketch(vectors: Vectors) -> Sketch:
    sketch = Sketch.of(vectors)
    assert sketch is not None
    sketch.least = 42
    return sketch


def test_it_finds_the_same(vectors: Vectors, sketch: Sketch) -> None:
    found = thawed(frozen(sketch, TRIAL), vectors)
    assert found is not None
    again, trial = found
    assert trial == TRIAL
    assert again.least == 42
    for probe in units(30, 64, 5):
        assert again.near(probe).tolist() == sketch.near(probe).tolist()


@pytest.mark.parametrize("other", ["order", "length", "dimension", "vectors"])
def test_of_another_list_it_is_none(vectors: Vectors, sketch: Sketch, other: str) -> None:
    lists = {
        "order": np.ascontiguousarray(vectors[::-1]),
        "length": vectors[:-1],
        "dimension": units(3000, 32),
        "vectors": units(3000, 64, 9),
    }
    assert thawed(frozen(sketch, TRIAL), lists[other]) is None


def test_one_that_did_not_win_its_trial_is_not_taken(vectors: Vectors, sketch: Sketch) -> None:
    assert thawed(frozen(sketch, replace(TRIAL, agreement=0.9)), vectors) is None


@pytest.mark.parametrize("cut", [0, 3, 10, 100, 5000, -1])
def test_cut_short_it_is_none(vectors: Vectors, sketch: Sketch, cut: int) -> None:
    assert thawed(frozen(sketch, TRIAL)[:cut], vectors) is None


def test_of_another_program_it_is_none(vectors: Vectors, sketch: Sketch) -> None:
    data = frozen(sketch, TRIAL)
    for old, new in ((b'"format": 1', b'"format": 2'), (b'"least"', b'"leapt"')):
        assert old in data[:400]
        assert thawed(bytearray(bytes(data).replace(old, new, 1)), vectors) is None
