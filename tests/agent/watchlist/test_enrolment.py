from __future__ import annotations

from dataclasses import replace

import pytest

from agent.watchlist.enrolment import EnrolmentLimits, Problem, count_reasons, quality_reasons
from tests.support.faces import detections, quality

LIMITS = EnrolmentLimits()
GOOD = quality()


def problems(reasons):
    return [reason.problem for reason in reasons]


@pytest.mark.parametrize(
    ("faces", "problem"),
    [
        ([], [Problem.NO_FACE]),
        ([(50, 50, 40)], []),
        ([(50, 50, 40), (150, 50, 40)], [Problem.SEVERAL_FACES]),
    ],
)
def test_exactly_one_face(faces, problem):
    reasons = count_reasons(detections(faces))
    assert problems(reasons) == problem
    assert all(reason.measured == len(faces) for reason in reasons)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"width_px": 47.9}, Problem.TOO_SMALL),
        ({"sharpness": 3.0}, Problem.BLURRED),
        ({"yaw": -0.7}, Problem.POSE),
        ({"pitch": 0.7}, Problem.POSE),
        ({"brightness": 20.0}, Problem.TOO_DARK),
        ({"brightness": 240.0}, Problem.TOO_BRIGHT),
        ({"contrast": 5.0}, Problem.LOW_CONTRAST),
    ],
)
def test_each_reason_has_its_measure_and_limit(changes, problem):
    (reason,) = quality_reasons(replace(GOOD, **changes), LIMITS)
    assert reason.problem is problem
    assert reason.measured == abs(next(iter(changes.values())))
    assert f"{reason.measured:.4g}" in str(reason)
    assert f"needed {reason.needed:.4g}" in str(reason)


def test_a_good_face_has_no_reason_against_it():
    assert quality_reasons(GOOD, LIMITS) == ()


def test_all_reasons_are_told_at_once():
    bad = replace(GOOD, width_px=20.0, sharpness=1.0, yaw=0.9, brightness=10.0, contrast=2.0)
    assert problems(quality_reasons(bad, LIMITS)) == [
        Problem.TOO_SMALL,
        Problem.BLURRED,
        Problem.POSE,
        Problem.TOO_DARK,
        Problem.LOW_CONTRAST,
    ]


def test_the_worse_of_two_turns_is_told():
    (reason,) = quality_reasons(replace(GOOD, yaw=0.65, pitch=-0.9), LIMITS)
    assert reason.measured == 0.9
