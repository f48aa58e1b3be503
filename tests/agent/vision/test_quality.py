"""Quality: worse pictures never count for more, and nothing is ever not a number."""

import math
from dataclasses import astuple
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.values import FaceQuality
from agent.vision.alignment import CROP, TEMPLATE
from agent.vision.quality import measure, pose

BOX = np.array([0, 0, 100, 120], np.float32)


def face(contrast: float = 40.0, light: float = 120.0) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 1, (CROP, CROP, 1)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.0)
    values = smooth / smooth.std() * contrast + light
    return np.repeat(np.clip(values, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def quality_of(
    crop: np.ndarray, width: float = 100, score: float = 0.95, points: np.ndarray = TEMPLATE
) -> FaceQuality:
    return measure(crop, np.array([5, 5, 5 + width, 5 + width], np.float32), points, score)


def frontal() -> np.ndarray:
    """Landmarks with the nose exactly where a frontal face has it."""
    points = TEMPLATE.astype(np.float64).copy()
    points[1, 1] = points[0, 1]
    points[2, 0] = points[:2, 0].mean()
    return points.astype(np.float32)


def falling(scores: list[float]) -> bool:
    return all(after <= before + 1e-9 for before, after in pairwise(scores))


def test_a_sharp_large_frontal_face_is_worth_nearly_all() -> None:
    found = quality_of(face(), points=frontal())
    assert found.score > 0.95
    assert found.width_px == 100
    assert found.detector_score == pytest.approx(0.95)


def test_blur_lowers_it_to_nothing() -> None:
    blurred = [face()] + [cv2.GaussianBlur(face(), (0, 0), sigma) for sigma in (1, 2, 4, 8)]
    found = [quality_of(crop) for crop in blurred]
    assert falling([one.sharpness for one in found])
    scores = [one.score for one in found]
    assert falling(scores)
    assert scores[0] > 0.5
    assert scores[-1] == 0


@pytest.mark.parametrize(
    "worse",
    [
        [{"width": width} for width in (200, 64, 50, 30, 20, 16, 3, 0)],
        [{"score": score} for score in (1.0, 0.8, 0.7, 0.5, 0.31, 0.3, 0.0)],
    ],
)
def test_smaller_and_less_certain_faces_are_worth_less(worse: list[dict[str, float]]) -> None:
    scores = [quality_of(face(), **case).score for case in worse]
    assert falling(scores)
    assert scores[0] > 0.9
    assert scores[-1] == 0


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_turned_head_is_worth_less(axis: int, sign: int) -> None:
    scores = []
    for by in (0, 4, 8, 12, 16, 20):
        points = frontal()
        points[2, axis] += sign * by
        scores.append(quality_of(face(), points=points).score)
    assert falling(scores)
    assert scores[0] > 0.9
    assert scores[-1] < 0.2


def test_dark_glaring_and_flat_faces_are_worth_nothing() -> None:
    assert quality_of(face(light=120)).score > 0.5
    assert quality_of(face(contrast=8, light=12)).score == 0
    assert quality_of(face(contrast=4, light=250)).score == 0
    assert quality_of(face(contrast=2)).score == 0
    assert quality_of(np.zeros((CROP, CROP, 3), np.uint8)).score == 0


def test_a_face_without_contrast_is_worth_nothing_however_sharp_its_grain() -> None:
    board = (np.indices((CROP, CROP)).sum(axis=0) % 2 * 10 + 115).astype(np.uint8)
    found = quality_of(np.repeat(board[..., None], 3, axis=2))
    assert found.sharpness > 120
    assert found.contrast < 6
    assert found.score == 0


@given(st.floats(-math.pi, math.pi), st.floats(0.1, 20), st.floats(-500, 500))
def test_pose_is_that_of_the_head_wherever_and_however_it_lies_in_the_picture(
    turn: float, scale: float, shift: float
) -> None:
    rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    points = frontal()
    points[2] += (6, -5)
    yaw, pitch, roll = pose(points)
    found = pose((points @ rotation * scale + shift).astype(np.float32))
    assert found[0] == pytest.approx(yaw, abs=0.01)
    assert found[1] == pytest.approx(pitch, abs=0.01)
    difference = found[2] - roll - math.degrees(turn)
    assert (difference + 180) % 360 - 180 == pytest.approx(0, abs=0.1)


def test_signs_of_the_pose() -> None:
    points = frontal()
    assert pose(points) == pytest.approx((0, 0, 0), abs=0.02)
    assert pose(points + np.array([[0, 0]] * 2 + [[5, 0]] + [[0, 0]] * 2))[0] > 0.1
    assert pose(points + np.array([[0, 0]] * 2 + [[0, -5]] + [[0, 0]] * 2))[1] > 0.1


any_float = st.floats(width=32, allow_nan=True, allow_infinity=True)
sensible = st.floats(-1e4, 1e4, width=32)


@given(
    st.sampled_from([face(), face(0, 0), face(0, 255), face(255, 128)]),
    hnp.arrays(np.float32, (5, 2), elements=st.one_of(sensible, any_float)),
    hnp.arrays(np.float32, (4,), elements=sensible),
    st.floats(0, 1),
)
def test_nothing_makes_a_measure_that_is_not_a_number(
    crop: np.ndarray, points: np.ndarray, box: np.ndarray, score: float
) -> None:
    found = measure(crop, box, points, score)
    assert all(math.isfinite(value) for value in astuple(found))
    assert 0 <= found.score <= 1
    assert -1 <= found.yaw <= 1
    assert -1 <= found.pitch <= 1
    assert 0 <= found.brightness <= 255


@pytest.mark.parametrize(
    "points",
    [np.zeros((5, 2)), np.full((5, 2), np.nan), np.full((5, 2), np.inf), TEMPLATE * (1, -1)],
)
def test_landmarks_of_no_face_are_the_worst_pose_and_worth_nothing(points: np.ndarray) -> None:
    points = points.astype(np.float32)
    assert pose(points)[:2] == (1.0, 1.0)
    assert quality_of(face(), points=points).score == 0
