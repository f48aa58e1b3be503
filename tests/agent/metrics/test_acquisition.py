from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from agent.metrics.acquisition import central_crop, central_face, templates
from agent.ports import ModelIdentity
from agent.values import FaceDetections

LANDMARKS = np.array([(38, 52), (74, 52), (56, 72), (42, 92), (71, 92)], np.float32)


@dataclass
class PaintedFaces:
    """Finds one face in a picture whose first pixel is not black."""

    identity: ModelIdentity = field(default=ModelIdentity("painted", "fp32", ""))

    def detect(self, image):
        if not image[0, 0, 0]:
            return FaceDetections.empty()
        return FaceDetections(
            np.array([[30, 30, 90, 110]], np.float32), LANDMARKS[None], np.ones(1, np.float32)
        )


@dataclass
class FirstPixel:
    """A template that points where the crop's middle grey says; counts the sizes of batches."""

    batches: list[int] = field(default_factory=list)
    identity: ModelIdentity = field(default=ModelIdentity("pixel", "fp32", ""))
    dim: int = 256

    def embed(self, crops):
        self.batches.append(len(crops))
        return np.eye(256, dtype=np.float32)[crops[:, 56, 56, 0]]


def picture(grey):
    return np.full((128, 128, 3), grey, np.uint8)


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
    assert central_crop(picture(200), PaintedFaces()).shape == (1, 112, 112, 3)
    assert central_crop(picture(0), PaintedFaces()).shape == (0, 112, 112, 3)


def test_templates_keep_the_order_over_batches_and_failures():
    greys = [10, 0, 20, 30, 0, 0, 40, 50]
    embedder = FirstPixel()
    vectors = list(templates(map(picture, greys), PaintedFaces(), embedder, batch=2))
    assert [None if v is None else int(v.argmax()) for v in vectors] == [
        10, None, 20, 30, None, None, 40, 50,
    ]  # fmt: skip
    assert embedder.batches == [2, 2, 1]


def test_no_faces_need_no_embedder():
    embedder = FirstPixel()
    assert list(templates([picture(0)], PaintedFaces(), embedder)) == [None]
    assert embedder.batches == []
