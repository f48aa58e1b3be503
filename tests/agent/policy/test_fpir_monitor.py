from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.policy.fpir_monitor import RAISED, FpirCounts, Sprt, exceeded

SPRT = Sprt(0.001)
ID = "01K3GD4Z8AAAAAAAAAAAAAAAA{}"


def walked(sprt: Sprt, subjects: int, rejected: list[int]) -> tuple[bool, int, float]:
    """The same by the definition: subject by subject, no shortcut."""
    total, passed, hits = 0.0, 0, {place: rejected.count(place) for place in rejected}
    for subject in range(subjects):
        total += (
            math.log(sprt.worse)
            if hits.get(subject)
            else math.log1p(-sprt.p0 * sprt.worse) - math.log1p(-sprt.p0)
        )
        if total >= math.log((1 - sprt.beta) / sprt.alpha):
            return True, passed, total
        if total <= math.log(sprt.beta / (1 - sprt.alpha)):
            total, passed = 0.0, passed + 1
    return False, passed, total


@given(
    subjects=st.integers(0, 3000),
    rejected=st.sets(st.integers(0, 2999), max_size=8),
    p0=st.sampled_from([0.001, 0.004, 0.05]),
)
def test_the_walk_with_shortcuts_is_the_walk(subjects: int, rejected: set[int], p0: float) -> None:
    sprt = Sprt(p0)
    places = [place for place in rejected if place < subjects]
    verdict = sprt.judge(subjects, places)
    over, passed, total = walked(sprt, subjects, places)
    if abs(verdict.evidence - total) > 1e-6:  # a bound met exactly falls to either side
        assert min(abs(x - y) for x in (verdict.evidence, total) for y in (0, sprt.lower)) < 1e-6
        return
    assert (verdict.exceeded, verdict.passed) == (over, passed)


def outcomes(rate: float, sprt: Sprt, runs: int, seed: int) -> tuple[float, float]:
    """Share of tests that end at the upper bound, and subjects that a test takes on average."""
    rng = np.random.default_rng(seed)
    ends_high, taken = 0, 0.0
    whole = sprt.lower / sprt.step
    for _ in range(runs):
        places = np.cumsum(rng.geometric(rate, 60 + int(20 * whole * rate))) - 1
        total, at = 0.0, 0.0
        for place in places.tolist():
            to_go = (sprt.lower - total) / sprt.step
            if place - at >= to_go:
                taken += at + to_go
                break
            total += (place - at) * sprt.step + sprt.jump
            at = place + 1.0
            if total >= sprt.upper:
                ends_high, taken = ends_high + 1, taken + at
                break
        else:
            pytest.fail("a test that did not end")
        # the code under test says the same of this very sequence
        verdict = sprt.judge(at, [one for one in places.tolist() if one < at])
        assert verdict.exceeded == (total >= sprt.upper)
    return ends_high / runs, taken / runs


@pytest.mark.parametrize("p0", [0.001, 0.01])
def test_error_rates_are_those_of_the_theory(p0: float) -> None:
    """Wald: the two true errors are at most alpha / (1 - beta) and beta / (1 - alpha), and at most
    alpha + beta together. 4,000 runs: three standard errors are added.
    """
    sprt, runs = Sprt(p0), 4000
    false_alarm, _ = outcomes(p0, sprt, runs, seed=1)
    found, _ = outcomes(3 * p0, sprt, runs, seed=2)
    bound = 0.05 / 0.95
    slack = 3 * math.sqrt(bound * (1 - bound) / runs)
    assert 0.01 < false_alarm <= bound + slack
    assert 0.01 < 1 - found <= bound + slack
    assert false_alarm + 1 - found <= 0.1 + 2 * slack


def test_the_length_of_a_test_is_that_of_the_theory() -> None:
    """Wald's expected numbers neglect the overshoot, so they are a little low."""
    for rate in (SPRT.p0, 3 * SPRT.p0):
        high, mean = outcomes(rate, SPRT, 4000, seed=3)
        per_subject = rate * SPRT.jump + (1 - rate) * SPRT.step
        expected = (high * SPRT.upper + (1 - high) * SPRT.lower) / per_subject
        assert expected * 0.95 < mean < expected * 1.35


def test_the_answer_does_not_depend_on_when_anybody_reviewed() -> None:
    places = [10.0, 400.0, 2500.0, 2600.0]
    assert SPRT.judge(9000, places) == SPRT.judge(9000, places[::-1])
    crowded = [100.0 + 10 * n for n in range(4)]
    assert SPRT.judge(100_000, crowded).exceeded, "a bad hour is not outweighed by a quiet year"
    assert not SPRT.judge(100_000, [9_000.0 * n for n in range(11)]).exceeded


def test_late_reviews_count_where_their_subjects_passed() -> None:
    """A thousand subjects an hour at the promised rate, all reviewed at the end of the day."""
    counts = FpirCounts()
    for hour in range(24):
        counts = counts.seen(1000).with_raised(ID.format(chr(65 + hour)))
    for hour in range(24):
        counts = counts.with_review(ID.format(chr(65 + hour)), "rejected")
    assert len(counts.rejected) == 24
    assert exceeded(counts, SPRT, 1.0) is None


def test_too_many_rejections_are_said_with_their_numbers() -> None:
    counts = FpirCounts().seen(100)
    for one in "ABC":
        counts = counts.with_raised(ID.format(one)).with_review(ID.format(one), "rejected")
    said = exceeded(counts, SPRT, 1.0)
    assert said is not None
    assert "3 rejected among 100 subjects" in said
    assert "reset" in said


def test_fragmented_tracks_are_fewer_subjects_so_a_stricter_test() -> None:
    counts = FpirCounts().seen(1900)
    for one in "ABCDE":
        counts = (
            counts.with_raised(ID.format(one)).with_review(ID.format(one), "rejected").seen(500)
        )
    assert exceeded(counts, SPRT, 1.0) is None
    assert exceeded(counts, SPRT, 4.0) is not None


def test_only_alerts_of_this_device_count_and_each_once() -> None:
    counts = FpirCounts().with_raised(ID.format("A"))
    once = counts.with_review(ID.format("A"), "rejected")
    assert once.rejected == (0,)
    assert once.with_review(ID.format("A"), "rejected") == once
    assert counts.with_review(ID.format("B"), "rejected") == counts


def test_a_rejection_is_for_good_and_a_confirmation_is_not() -> None:
    raised = FpirCounts().seen(7).with_raised(ID.format("A"))
    confirmed = raised.with_review(ID.format("A"), "confirmed")
    assert confirmed != raised
    assert confirmed.with_review(ID.format("A"), "confirmed") == confirmed
    rejected = confirmed.with_review(ID.format("A"), "rejected")
    assert (rejected.rejected, rejected.confirmed, rejected.raised) == ((7,), (), ())
    assert rejected.with_review(ID.format("A"), "confirmed") == rejected


def test_what_waits_for_a_review_is_bounded() -> None:
    counts = FpirCounts()
    for number in range(RAISED + 5):
        counts = counts.with_raised(str(number))
    assert len(counts.raised) == RAISED
    assert counts.raised[0][0] == "5"


@pytest.mark.parametrize(
    "values", [{"p0": 0.0}, {"p0": 0.4}, {"p0": 0.1, "worse": 1.0}, {"p0": 0.1, "alpha": 0.5}]
)
def test_no_test_of_what_is_no_rate(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"no test|error prob"):
        Sprt(**values)
