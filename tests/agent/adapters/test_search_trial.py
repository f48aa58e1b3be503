"""The exam must see what is missed: exact products are the oracle, time is counted."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from agent.adapters.bit_planes import Plane
from agent.adapters.search_trial import AGREEMENT, NOISE, Exam, Rows, best_rows, noisy_probes
from agent.values import F32, Vectors
from tests.support.lists import units


class Key:
    """Knows the best row of every probe, but for some that it gives wrongly or not at all."""

    def __init__(self, vectors: Vectors, *, wrong: int = 0, silent: int = 0) -> None:
        self._vectors, self._wrong, self._silent = vectors, wrong, silent
        self.asked = 0

    def near(self, probe: F32, alive: Plane | None = None) -> Rows | None:
        assert alive is None
        self.asked += 1
        if self.asked <= self._silent:
            return None
        best = (self._vectors @ probe).argsort()
        return best[:1] if self.asked <= self._silent + self._wrong else best[-1:]


@pytest.fixture(scope="module")
def exam() -> Exam:
    ticks = count()
    made = Exam.of(units(1500, 32), timer=lambda: float(next(ticks)))
    assert made is not None
    return made


def test_noisy_probes_lie_where_thresholds_do() -> None:
    vectors = units(500, 32)
    probes = noisy_probes(vectors, 200)
    np.testing.assert_allclose(np.linalg.norm(probes, axis=1), 1, atol=1e-5)
    own = vectors[np.random.default_rng(673).choice(500, 200, replace=False)]
    alike = np.einsum("ij,ij->i", probes, own)
    assert NOISE[0] - 1e-5 <= alike.min() < alike.max() <= NOISE[1] + 1e-5
    np.testing.assert_array_equal(probes, noisy_probes(vectors, 200))


def test_the_best_rows_are_found_block_by_block() -> None:
    vectors, probes = units(20_000, 8), units(300, 8, 1)
    found = best_rows(vectors, probes)
    np.testing.assert_array_equal(found, (probes @ vectors.T).argmax(axis=1))
    assert best_rows(vectors, probes, lambda: False) is None


def test_who_finds_all_passes(exam: Exam) -> None:
    trial = exam.take(Key(exam.vectors), "key")
    assert trial is not None
    assert (trial.agreement, trial.probes, trial.agrees) == (1.0, len(exam.probes), True)


@pytest.mark.parametrize("how", [{"wrong": 40}, {"silent": 40}])
def test_who_misses_too_many_fails_and_is_not_asked_all(exam: Exam, how: dict[str, int]) -> None:
    key = Key(exam.vectors, **how)
    trial = exam.take(key, "key")
    assert trial is not None
    assert (trial.agreement, trial.probes) == (1 - 40 / 50, 50)
    assert key.asked == 50
    assert not trial.agrees
    assert not trial.won
    assert str(trial).startswith("searched exactly: key finds the best of 20.00%")


def test_one_miss_in_a_thousand_is_allowed(exam: Exam) -> None:
    trial = exam.take(Key(exam.vectors, wrong=1), "key")
    assert trial is not None
    assert AGREEMENT <= trial.agreement < 1
    assert trial.agrees


def test_it_wins_only_when_it_costs_less(exam: Exam) -> None:
    """Each reading of the clock is a second later: a block of 50 probes, or one product."""
    trial = exam.take(Key(exam.vectors), "key")
    assert trial is not None
    assert (trial.ms, trial.exact_ms) == (pytest.approx(20.0, rel=0.05), 1000.0)
    assert trial.won
    assert str(trial).startswith("searched by key finds the best of 100.00%")
    slow = Exam(exam.vectors, exam.probes[:1], exam.rows, exam.best, exam.timer, exam.go_on)
    tried = slow.take(Key(exam.vectors), "key")
    assert tried is not None
    assert tried.ms == tried.exact_ms == 1000.0
    assert not tried.won


def test_it_is_given_up_when_it_is_not_to_go_on(exam: Exam) -> None:
    stopped = Exam(exam.vectors, exam.probes, exam.rows, exam.best, exam.timer, lambda: False)
    assert stopped.take(Key(exam.vectors), "key") is None
    assert Exam.of(exam.vectors, go_on=lambda: False) is None


def test_nobody_alike_is_nothing_to_ask() -> None:
    vectors = units(20, 32)
    empty = Exam(vectors, vectors[:0], np.zeros(0, np.intp), vectors[:0, 0], float, lambda: True)
    trial = empty.take(Key(vectors), "key")
    assert trial is not None
    assert (trial.probes, trial.won) == (0, False)
