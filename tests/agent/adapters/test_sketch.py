"""What a sketch must find: exact products are the oracle."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from agent.adapters import sketch as module
from agent.adapters.bit_planes import packed
from agent.adapters.search_trial import Exam, noisy_probes
from agent.adapters.sketch import Sketch, sketch_for
from agent.values import Vectors
from tests.support.lists import units


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return units(3000, 64)


@pytest.fixture(scope="module")
def sketch(vectors: Vectors) -> Sketch:
    sketch = Sketch.of(vectors)
    sketch.least = 42
    return sketch


def best(vectors: Vectors, probes: Vectors) -> list[int]:
    return (probes @ vectors.T).argmax(axis=1).tolist()  # type: ignore[no-any-return]


def test_it_finds_nearly_every_noisy_probe(vectors: Vectors, sketch: Sketch) -> None:
    probes = noisy_probes(vectors, 100)
    found = [row in sketch.near(p) for p, row in zip(probes, best(vectors, probes), strict=True)]
    assert np.mean(found) > 0.9


def test_it_leaves_few_rows_of_a_long_list(sketch: Sketch) -> None:
    assert all(0 < len(sketch.near(probe)) <= module.KEPT for probe in units(20, 64, 5))


def test_who_is_not_alive_is_never_found(vectors: Vectors, sketch: Sketch) -> None:
    alive = np.arange(3000) % 2 == 0
    (plane,) = packed(alive[:, None])
    for row in range(0, 60, 3):
        rows = sketch.near(vectors[row], plane)
        assert alive[rows].all()
        assert (row in rows) == alive[row]


def test_the_deeper_it_looks_the_more_it_finds(vectors: Vectors) -> None:
    sketch, probes = Sketch.of(vectors), noisy_probes(vectors, 60)
    shares = []
    for least in (56, 50, 36):
        sketch.least = least
        rows = [sketch.near(probe) for probe in probes]
        pairs = zip(rows, best(vectors, probes), strict=True)
        shares.append(np.mean([right in found for found, right in pairs]))
    assert shares[0] < shares[1] < shares[2]


def test_the_probe_is_left_and_what_was_made_of_it_is_gone(
    vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    wiped = module.wipe
    monkeypatch.setattr(module, "wipe", lambda *arrays: (seen.extend(arrays), wiped(*arrays)))
    sketch, probe = Sketch.of(vectors), vectors[7].copy()
    sketch.near(probe)
    np.testing.assert_array_equal(probe, vectors[7])
    assert len(seen) == 4
    assert not any(array.any() for array in seen)


def test_votes_are_what_the_search_goes_by(vectors: Vectors) -> None:
    sketch, probes = Sketch.of(vectors), noisy_probes(vectors, 40)
    rows = best(vectors, probes)
    for probe, row, votes in zip(probes, rows, sketch.votes(probes, vectors[rows]), strict=True):
        (only,) = packed((np.arange(3000) == row)[:, None])
        sketch.least = int(votes)
        assert sketch.near(probe, only).tolist() == [row]
        sketch.least = int(votes) + 1
        assert sketch.near(probe, only).tolist() == []


def test_the_exam_says_how_deep_to_look(vectors: Vectors) -> None:
    exam = Exam.of(vectors[:1200])
    assert exam is not None
    found = sketch_for(exam)
    assert found is not None
    sketch, trial = found
    assert trial.way == "sketch"
    assert trial.probes == len(exam.probes) > 900
    assert trial.agreement >= 0.999
    votes = sketch.votes(exam.probes[:300], vectors[exam.rows[:300]])
    assert np.mean(votes < sketch.least) <= 1 / 300


@pytest.mark.parametrize("shape", [(1, 16), (63, 8), (65, 130)])
def test_any_shape_will_do(shape: tuple[int, int]) -> None:
    rows = units(*shape)
    sketch = Sketch.of(rows)
    sketch.least = 0
    assert set(sketch.near(rows[0]).tolist()) <= set(range(len(rows)))
    assert len(sketch.near(rows[0])) == min(len(rows), module.KEPT)


def test_threads_do_not_disturb_each_other(vectors: Vectors, sketch: Sketch) -> None:
    probes = noisy_probes(vectors, 60)
    alone = [sketch.near(probe).tolist() for probe in probes]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda probe: sketch.near(probe).tolist(), probes))
    assert together == alone


def test_it_is_given_up_when_it_is_not_to_go_on(vectors: Vectors) -> None:
    exam = Exam.of(vectors[:300])
    assert exam is not None
    stopped = Exam(exam.vectors, exam.probes, exam.rows, exam.best, exam.timer, lambda: False)
    assert sketch_for(stopped) is None
    assert Sketch.of(vectors, lambda: False) is None
