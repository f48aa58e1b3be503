"""Landmarks land on the template, and crops are what an area average says they are."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.vision.alignment import CROP, TEMPLATE, align_faces, similarity_transforms


def moved(scale: float, turn: float, x: float, y: float) -> np.ndarray:
    """The template, turned (radians), scaled and shifted: (5, 2)."""
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return ((TEMPLATE - CROP / 2) @ rotation.T * scale + (x, y)).astype(np.float32)


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points.astype(np.float64) @ matrix[:, :2].T.astype(np.float64) + matrix[:, 2]


def umeyama(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The paper's own form, with the singular value decomposition: (2, 3)."""
    source, target = source.astype(np.float64), target.astype(np.float64)
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    u, singular, vt = np.linalg.svd(b.T @ a / len(a))
    sign = np.diag([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ sign @ vt
    scale = np.trace(np.diag(singular) @ sign) / a.var(axis=0).sum()
    shift = target.mean(axis=0) - scale * rotation @ source.mean(axis=0)
    return np.column_stack([scale * rotation, shift])


def texture(height: int, width: int, cells: tuple[int, ...] = (4, 16, 64)) -> np.ndarray:
    """A picture with structure of these sizes, pixels."""
    rng = np.random.default_rng(3)
    total = np.zeros((height, width, 3), np.float64)
    for cell in cells:
        size = (-(-height // cell), -(-width // cell), 3)
        coarse = rng.uniform(0, 255, size)
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(total / len(cells), 0, 255).astype(np.uint8)


@given(
    st.floats(0.05, 30),
    st.floats(-math.pi, math.pi),
    st.floats(-2000, 2000),
    st.floats(-2000, 2000),
)
def test_any_turned_scaled_shifted_face_lands_on_the_template(
    scale: float, turn: float, x: float, y: float
) -> None:
    points = moved(scale, turn, x, y)
    found = similarity_transforms(points[None])[0]
    error = np.abs(apply(found, points) - TEMPLATE).max()
    assert error < 1e-3 + 2e-3 / scale


@given(st.integers(0, 10_000))
def test_landmarks_that_fit_only_roughly_get_the_least_squares_similarity(seed: int) -> None:
    rng = np.random.default_rng(seed)
    face = moved(rng.uniform(0.2, 5), rng.uniform(-3, 3), *rng.uniform(-300, 300, 2))
    points = (face + rng.normal(0, 3, face.shape)).astype(np.float32)
    found = similarity_transforms(points[None])[0]
    np.testing.assert_allclose(found, umeyama(points, TEMPLATE), rtol=1e-4, atol=1e-3)


def test_opencv_finds_the_same_transform() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        face = moved(rng.uniform(0.3, 4), rng.uniform(-1, 1), *rng.uniform(0, 500, 2))
        points = (face + rng.normal(0, 0.5, face.shape)).astype(np.float32)
        theirs, _ = cv2.estimateAffinePartial2D(
            points, TEMPLATE, method=cv2.RANSAC, ransacReprojThreshold=1e6, refineIters=50
        )
        ours = similarity_transforms(points[None])[0]
        np.testing.assert_allclose(apply(ours, points), apply(theirs, points), atol=0.05)


def test_all_faces_at_once_are_each_face_alone() -> None:
    faces = np.stack([moved(1.0, 0.1, 50, 60), moved(3.0, -2.0, 500, 10), moved(0.2, 1.0, 0, 0)])
    together = similarity_transforms(faces)
    alone = np.concatenate([similarity_transforms(face[None]) for face in faces])
    np.testing.assert_allclose(together, alone, rtol=1e-6)
    assert similarity_transforms(faces[:0]).shape == (0, 2, 3)
    assert align_faces(texture(64, 64), faces[:0]).shape == (0, CROP, CROP, 3)


def test_a_face_already_on_the_template_is_cut_out_unchanged() -> None:
    image = texture(300, 400)
    crop = align_faces(image, (TEMPLATE + np.float32([130, 90]))[None])[0]
    expected = image[90 : 90 + CROP, 130 : 130 + CROP]
    assert np.abs(crop.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("shrink", [1.4, 2.5, 4.0, 9.0])
@pytest.mark.parametrize("turn", [0.0, 0.4, 2.0])
def test_large_faces_are_averaged_down_not_sampled(shrink: float, turn: float) -> None:
    side = round(170 * shrink)
    image = texture(side, side, (round(2.5 * shrink), round(12 * shrink)))
    points = moved(shrink, turn, side / 2 + 0.3, side / 2 - 0.8)
    crop = align_faces(image, points[None])[0]
    fine = math.ceil(shrink)  # oracle: draw the crop so many times as large, average every block
    matrix = umeyama(points, TEMPLATE) * fine
    matrix[:, 2] += (fine - 1) / 2  # centres of pixels, not their corners
    size = (CROP * fine, CROP * fine)
    large = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
    expected = cv2.resize(large, (CROP, CROP), interpolation=cv2.INTER_AREA)
    error = np.abs(crop.astype(float) - expected.astype(float))
    assert error.mean() < 4.0
    for axis in (0, 1):  # and no shift between the two: a quarter of a pixel would be the best fit
        aligned = [
            np.abs(np.roll(crop, by, axis)[4:-4, 4:-4].astype(float) - expected[4:-4, 4:-4]).mean()
            for by in (-1, 0, 1)
        ]
        assert aligned[1] == min(aligned)
        assert abs(aligned[0] - aligned[2]) < 0.25 * (min(aligned[0], aligned[2]) - aligned[1])


def test_the_grain_of_a_large_face_is_averaged_away() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (1100, 1100, 3)).astype(np.uint8)
    crop = align_faces(image, moved(9, 0.3, 550, 550)[None])[0]
    assert crop[20:92, 20:92].std() < 0.2 * image.std()


def test_a_crop_beyond_the_picture_is_black_there() -> None:
    image = np.full((200, 200, 3), 200, np.uint8)
    crop = align_faces(image, (TEMPLATE + np.float32([200 - 40, 50]))[None])[0]
    assert (crop[:, :39] >= 199).all()
    assert not crop[:, 41:].any()


@pytest.mark.parametrize("shift", [(-5000, 0), (5000, 5000), (0, -400), (1e9, 1e9)])
def test_a_face_outside_the_picture_is_black(shift: tuple[float, float]) -> None:
    image = np.full((200, 300, 3), 200, np.uint8)
    assert not align_faces(image, (TEMPLATE + shift).astype(np.float32)[None]).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (2, 3), (500, 1)])
def test_pictures_of_a_few_pixels_are_fine(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 200, np.uint8)
    for scale in (0.01, 0.1, 1, 10, 100):
        crops = align_faces(image, moved(scale, 0.3, size[1] / 2, size[0] / 2)[None])
        assert crops.shape == (1, CROP, CROP, 3)
        assert crops.max() <= 200


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((5, 2)),
        np.full((5, 2), 77.7),
        np.full((5, 2), np.nan),
        np.full((5, 2), np.inf),
        TEMPLATE * 1e30,
    ],
)
def test_landmarks_that_are_no_face_give_a_black_crop_and_spoil_no_other(
    points: np.ndarray,
) -> None:
    image = texture(200, 200)
    good = TEMPLATE + np.float32([40, 40])
    crops = align_faces(image, np.stack([points, good]).astype(np.float32))
    assert not crops[0].any()
    np.testing.assert_array_equal(crops[1], align_faces(image, good[None])[0])
