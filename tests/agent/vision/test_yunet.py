"""Decoding, suppression and the way back to the frame, against slow and literal references."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.values import FaceDetections
from agent.vision import yunet
from tests.support.faces import detections

ROWS, COLUMNS = 96, 64
"""Of a network input; three, six or twelve cells high."""


def random_maps(seed: int, spread: float = 2.0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [
        rng.normal(0, spread, (16, ROWS // stride, COLUMNS // stride)).astype(np.float32)
        for stride in yunet.STRIDES
    ]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def literal(maps: list[np.ndarray], score: float) -> list[tuple[float, list[float], list[float]]]:
    """Every cell over the score, as the formulas of the published network say it."""
    found = []
    for level, stride in zip(maps, yunet.STRIDES, strict=True):
        for row in range(level.shape[1]):
            for column in range(level.shape[2]):
                cell = [float(value) for value in level[:, row, column]]
                worth = math.sqrt(sigmoid(cell[0]) * sigmoid(cell[1]))
                if worth < score:
                    continue
                x, y = (column + cell[2]) * stride, (row + cell[3]) * stride
                w, h = math.exp(cell[4]) * stride, math.exp(cell[5]) * stride
                box = [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
                points = []
                for point in range(5):
                    points.append((column + cell[6 + 2 * point]) * stride)
                    points.append((row + cell[7 + 2 * point]) * stride)
                found.append((worth, box, points))
    return sorted(found, key=lambda one: -one[0])


@pytest.mark.parametrize("score", [0.02, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("seed", range(3))
def test_decoding_is_what_the_formulas_say_cell_by_cell(seed: int, score: float) -> None:
    maps = random_maps(seed)
    expected = literal(maps, score)
    found = yunet.decode(maps, score=score, nms_iou=1.0)
    assert expected
    assert len(found) == len(expected)
    np.testing.assert_allclose(found.scores, [one[0] for one in expected], rtol=1e-5)
    np.testing.assert_allclose(found.boxes, [one[1] for one in expected], rtol=1e-4, atol=1e-3)
    points = found.landmarks.reshape(-1, 10)
    np.testing.assert_allclose(points, [one[2] for one in expected], rtol=1e-4, atol=1e-3)
    assert found.boxes.dtype == found.landmarks.dtype == found.scores.dtype == np.float32


def test_nothing_over_the_score_is_an_empty_answer() -> None:
    maps = [np.full_like(level, -20) for level in random_maps(0)]
    assert len(yunet.decode(maps, score=0.5, nms_iou=0.45)) == 0


def test_wild_values_of_the_network_give_finite_boxes() -> None:
    maps = [np.full_like(level, 80.0) for level in random_maps(0)]
    found = yunet.decode(maps, score=0.5, nms_iou=0.45)
    assert len(found) > 0
    assert np.isfinite(found.boxes).all()
    assert np.isfinite(found.scores).all()


def test_cells_that_are_no_numbers_are_no_faces() -> None:
    maps = [np.full_like(level, np.nan) for level in random_maps(0)]
    assert len(yunet.decode(maps, score=0.02, nms_iou=0.45)) == 0


def iou(a: np.ndarray, b: np.ndarray) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0.0) * max(height, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / union if union > 0 else 0.0


def brute_force(faces: FaceDetections, limit: float) -> list[int]:
    """Take the best that is left, throw away what overlaps it, again until nothing is left."""
    left = sorted(range(len(faces)), key=lambda index: -faces.scores[index])
    boxes = faces.boxes.astype(float)
    kept = []
    while left:
        best = left.pop(0)
        kept.append(best)
        left = [other for other in left if iou(boxes[best], boxes[other]) <= limit]
    return kept


@st.composite
def crowds(draw: st.DrawFn) -> FaceDetections:
    """Squares on a coarse grid, so that many coincide, touch or tie."""
    rows = draw(
        st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 8)), max_size=20)
    )
    scores = draw(
        st.lists(
            st.sampled_from([0.25, 0.5, 0.625, 0.75, 0.875]),
            min_size=len(rows),
            max_size=len(rows),
        )
    )
    return detections([(x * 4.0, y * 4.0, s * 4.0) for x, y, s in rows], scores)


limits = st.sampled_from([0.05, 0.3, 0.45, 0.7, 1.0])


@given(crowds(), limits)
def test_suppression_is_the_greedy_rule(faces: FaceDetections, limit: float) -> None:
    expected = faces.take(brute_force(faces, limit))
    found = yunet.suppress(faces, limit)
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    np.testing.assert_array_equal(found.landmarks, expected.landmarks)
    np.testing.assert_array_equal(found.scores, expected.scores)


@given(crowds(), limits)
def test_suppression_keeps_the_best_and_is_done_at_once(
    faces: FaceDetections, limit: float
) -> None:
    once = yunet.suppress(faces, limit)
    twice = yunet.suppress(once, limit)
    np.testing.assert_array_equal(once.boxes, twice.boxes)
    assert (np.diff(once.scores) <= 0).all()
    assert len(once) == 0 or once.scores[0] == faces.scores.max()
    assert bool(len(once)) == bool(len(faces))


@given(crowds(), st.integers(1, 60), st.integers(1, 60))
def test_clipping_keeps_boxes_in_the_picture_and_drops_who_is_outside(
    faces: FaceDetections, width: int, height: int
) -> None:
    found = yunet.clip_to(faces, width, height)
    centres = [((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in faces.boxes.tolist()]
    inside = [i for i, (x, y) in enumerate(centres) if 0 <= x < width and 0 <= y < height]
    np.testing.assert_array_equal(found.scores, faces.scores[inside])
    np.testing.assert_array_equal(found.landmarks, faces.landmarks[inside])
    for box, index in zip(found.boxes, inside, strict=True):
        before = faces.boxes[index]
        assert 0 <= box[0] < box[2] <= width
        assert 0 <= box[1] < box[3] <= height
        wanted = [
            max(before[0], 0),
            max(before[1], 0),
            min(before[2], width),
            min(before[3], height),
        ]
        np.testing.assert_array_equal(box, wanted)


@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))),
    st.integers(0, 8),
    st.integers(0, 8),
)
def test_the_input_is_the_picture_and_black_beyond(
    image: np.ndarray, below: int, right: int
) -> None:
    rows, columns = image.shape[:2]
    out = np.full((3, rows + below, columns + right), 7, np.float32)
    yunet.to_input(image, out)
    np.testing.assert_array_equal(out[:, :rows, :columns], image.transpose(2, 0, 1))
    assert not out[:, rows:, :].any()
    assert not out[:, :, columns:].any()


def test_the_input_takes_a_part_of_a_larger_picture() -> None:
    image = np.random.default_rng(0).integers(0, 255, (50, 60, 3), np.uint8)
    out = np.full((3, 32, 32), 9, np.float32)
    yunet.to_input(image[10:30, 20:45], out)
    np.testing.assert_array_equal(out[:, :20, :25], image[10:30, 20:45].transpose(2, 0, 1))


@given(
    crowds(),
    st.tuples(st.floats(0.5, 40), st.floats(0.5, 40)),
    st.tuples(st.integers(0, 4000), st.integers(0, 4000)),
)
def test_to_the_frame_undoes_shrinking_and_cutting(
    faces: FaceDetections, factor: tuple[float, float], offset: tuple[int, int]
) -> None:
    scale, shift = np.array(factor), np.array(offset)
    shrunk = FaceDetections(
        (faces.boxes / np.tile(scale, 2) - np.tile(shift, 2)).astype(np.float32),
        (faces.landmarks / scale - shift).astype(np.float32),
        faces.scores,
    )
    back = yunet.to_frame(shrunk, factor=factor, offset=offset)
    np.testing.assert_allclose(back.boxes, faces.boxes, atol=0.05)
    np.testing.assert_allclose(back.landmarks, faces.landmarks, atol=0.05)
    assert back.boxes.dtype == back.landmarks.dtype == np.float32
