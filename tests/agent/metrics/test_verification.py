from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.metrics.verification import (
    FAILED,
    Trials,
    accuracy,
    best_threshold,
    eer,
    refold,
    tar_at_far,
    verify,
)

# Coarse scores, so that ties are common.
SCORES = st.lists(st.integers(-10, 10).map(lambda k: k / 10), min_size=1, max_size=12).map(np.array)


def trials(genuine, impostor, folds=None):
    scores = np.array([*genuine, *impostor], float)
    same = np.arange(len(scores)) < len(genuine)
    return Trials(scores, same, np.array(folds or [0] * len(scores)))


def test_best_threshold_lies_between_the_two_kinds():
    t = trials([0.8, 0.6], [0.2, 0.1])
    assert best_threshold(t.scores, t.same) == pytest.approx(0.4)


def test_best_threshold_takes_the_middle_of_equals():
    # Right answers at 0.15, 0.35, 0.55: 3 each (of 4); 0.1 and just over 0.7: 2.
    t = trials([0.7, 0.2], [0.5, 0.1])
    assert best_threshold(t.scores, t.same) == pytest.approx(0.15)
    t = trials([0.7, 0.4, 0.2], [0.5, 0.3, 0.1])
    assert best_threshold(t.scores, t.same) == pytest.approx(0.35)


@given(SCORES, SCORES)
def test_no_threshold_beats_the_best(genuine, impostor):
    t = trials(genuine, impostor)
    best = best_threshold(t.scores, t.same)
    grid = np.append(np.arange(-1.05, 1.15, 0.05), 2.0)
    grid = grid[grid > FAILED]
    assert accuracy(t.scores, t.same, best) == pytest.approx(
        max(accuracy(t.scores, t.same, x) for x in grid)
    )
    assert best > FAILED


def test_eer_where_the_rates_meet():
    # At 0.5: one of four genuine refused, one of four impostors accepted.
    assert eer(np.array([0.9, 0.8, 0.5, 0.3]), np.array([0.1, 0.2, 0.4, 0.6])) == 0.25


def test_eer_between_two_thresholds():
    # Refused, accepted: (0, 2/3) at 0.5; (1/2, 1/3) at 0.6. They meet at 0.4 of the way: wait for
    # 2/3 - x/3 = x/2, x = 0.8, so both are 0.4.
    assert eer(np.array([0.5, 0.9]), np.array([0.1, 0.5, 0.6])) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("genuine", "impostor", "expected"),
    [([0.9, 0.8], [0.1, 0.2], 0.0), ([0.1], [0.9], 1.0), ([0.5], [0.5], 0.5)],
)
def test_eer_at_the_extremes(genuine, impostor, expected):
    assert eer(np.array(genuine), np.array(impostor)) == pytest.approx(expected)


@given(SCORES, SCORES)
def test_eer_lies_on_the_line_between_its_neighbours(genuine, impostor):
    assume((genuine > FAILED).any())
    assume((impostor > FAILED).any())
    rate = eer(genuine, impostor)
    levels = [*np.unique(np.concatenate((genuine, impostor))), np.inf]
    points = [(np.mean(genuine < x), np.mean(impostor >= x)) for x in levels if x > FAILED]
    # Any point of the staircase bounds it: below both rates nowhere, above both nowhere.
    assert min(max(p) for p in points) >= rate - 1e-12
    assert max(min(p) for p in points) <= rate + 1e-12


def test_tar_at_far_by_hand():
    impostor = np.arange(100) / 100  # 0.00 .. 0.99
    genuine = np.array([0.97, 0.98, 0.985, 0.995])
    assert tar_at_far(genuine, impostor, 0.01) == 0.5  # over 0.98, one accepted: 0.985 and 0.995
    assert tar_at_far(genuine, impostor, 0.001) == 0.25  # none may be accepted: over 0.99
    assert tar_at_far(genuine, impostor, 0.02) == 0.75
    assert tar_at_far(genuine, impostor, 1.0) == 1.0


@given(SCORES, SCORES, st.sampled_from([0.0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.9, 1.0]))
def test_tar_at_far_against_every_threshold(genuine, impostor, far):
    grid = np.append(np.arange(-0.95, 1.0, 0.05), [1.0, 1.1])
    fits = [x for x in grid if np.mean(impostor >= x - 1e-9) <= far + 1e-12]
    expected = max(np.mean(genuine >= x - 1e-9) for x in fits)
    assert tar_at_far(genuine, impostor, far) == pytest.approx(expected)


def test_folds_choose_on_the_others():
    # Fold 0 alone would take 0.45; fold 1 alone 0.75. Each is judged by the other's.
    t = trials([0.5, 0.9], [0.4, 0.6], folds=[0, 1, 0, 1])
    result = verify(t)
    # Fold 0 at 0.75: genuine 0.5 refused. Fold 1 at 0.45: impostor 0.6 accepted.
    assert result.accuracy_mean == 0.5
    assert result.threshold == pytest.approx((0.75 + 0.45) / 2)


def test_spread_over_folds_divides_by_n_minus_one():
    t = trials([0.9, 0.9, 0.1], [0.0, 0.0, 0.0], folds=[0, 1, 2, 0, 1, 2])
    result = verify(t, threshold=0.5)
    assert result.accuracy_mean == pytest.approx((1 + 1 + 0.5) / 3)
    assert result.accuracy_std == pytest.approx(np.std([1, 1, 0.5], ddof=1))
    assert result.threshold == 0.5


def test_one_fold_has_no_spread_and_chooses_on_itself():
    result = verify(trials([0.9, 0.8], [0.2, 0.1]))
    assert (result.accuracy_mean, result.accuracy_std, result.eer) == (1.0, 0.0, 0.0)
    assert result.threshold == pytest.approx(0.5)


def test_failed_acquisitions_stay_in_every_denominator():
    result = verify(trials([FAILED, 0.9, 0.8, 0.7], [FAILED, 0.1, 0.2, 0.3]))
    assert (result.pairs, result.failed_to_acquire) == (8, 2)
    assert result.accuracy_mean == 7 / 8  # a failed pair of one person is wrong, of two right
    assert result.tar_at_far == {0.01: 0.75, 0.001: 0.75}
    assert result.eer > 0


def test_all_failed_is_never_accepted():
    result = verify(trials([FAILED, FAILED], [FAILED, FAILED]))
    assert result.threshold > FAILED
    assert result.accuracy_mean == 0.5
    assert result.tar_at_far == {0.01: 0.0, 0.001: 0.0}


def test_refold_deals_both_kinds_evenly():
    again = refold(trials([0.9] * 5, [0.1] * 4), 2)
    assert again.folds.tolist() == [0, 0, 0, 1, 1, 0, 0, 1, 1]


def test_refold_needs_enough_pairs():
    with pytest.raises(ValueError, match="2 pairs of one kind cannot make 3 folds"):
        refold(trials([0.9] * 2, [0.1] * 3), 3)


@pytest.mark.parametrize(
    ("genuine", "impostor", "message"),
    [
        ([0.1], [], "pairs of one person and pairs of two"),
        ([], [0.1], "pairs of one person and pairs of two"),
        ([1.5], [0.1], "scores in"),
        ([float("nan")], [0.1], "scores in"),
    ],
)
def test_useless_trials_are_refused(genuine, impostor, message):
    with pytest.raises(ValueError, match=message):
        trials(genuine, impostor)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="one length"):
        Trials(np.zeros(2), np.array([True, False]), np.zeros(3, np.intp))


@given(SCORES, SCORES)
def test_a_shift_of_all_scores_changes_no_rate(genuine, impostor):
    genuine, impostor = genuine * 0.4, impostor * 0.4
    a, b = verify(trials(genuine, impostor)), verify(trials(genuine + 0.3, impostor + 0.3))
    assert (a.eer, a.tar_at_far) == (pytest.approx(b.eer), b.tar_at_far)
    assert a.accuracy_mean == pytest.approx(b.accuracy_mean)
