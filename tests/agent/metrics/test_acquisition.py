from __future__ import annotations

import numpy as np
import pytest

from agent.metrics.acquisition import central_crop, central_face, templates
from tests.support.painted import PaintedDetector, PaintedEmbedder, direction, painted


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([], None),
        ([(0, 0, 10, 10)], 0),
        ([(40, 40, 55, 55), (44, 44, 58, 58)], 1),  # both hold (50, 50); the second sits nearer
        ([(44, 44, 49, 49), (0, 0, 51, 51)], 1),  # holding the middle beats sitting near it
        ([(0, 0, 10, 10), (30, 30, 40, 40), (90, 90, 99, 99)], 1),
        ([(50, 50, 60, 60), (0, 0, 100, 49)], 0),  # the edge belongs to the box
    ],
)
def test_central_face(boxes, expected):
    table = np.array(boxes, np.float32).reshape(-1, 4)
    assert central_face(table, (100, 100)) == expected


def test_central_crop_is_aligned_or_empty():
    assert central_crop(painted(200), PaintedDetector()).shape == (1, 112, 112, 3)
    assert central_crop(painted(0), PaintedDetector()).shape == (0, 112, 112, 3)


def test_templates_keep_the_order_over_batches_and_failures():
    greys = [10, 0, 20, 30, 0, 0, 40, 50]
    embedder = PaintedEmbedder()
    vectors = list(templates(map(painted, greys), PaintedDetector(), embedder, batch=2))
    for grey, vector in zip(greys, vectors, strict=True):
        if grey:
            np.testing.assert_array_equal(vector, direction(grey))
        else:
            assert vector is None
    assert embedder.batches == [2, 2, 1]


def test_no_faces_need_no_embedder():
    embedder = PaintedEmbedder()
    assert list(templates([painted(0)], PaintedDetector(), embedder)) == [None]
    assert embedder.batches == []
