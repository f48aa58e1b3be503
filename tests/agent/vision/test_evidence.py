"""Of a whole crowd, only the matched face is in the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.vision.evidence import MARGIN, MAX_BYTES, PAINT, face_evidence

FACE = np.array([100, 80, 180, 180], np.float32)
NOBODY = np.zeros((0, 4), np.float32)
GREEN, RED = (0, 200, 0), (0, 0, 255)


def opened(data: np.ndarray) -> np.ndarray:
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def street(*others: tuple[int, int, int, int], size=(640, 360)) -> np.ndarray:
    """Grey; the matched face green, all others red."""
    image = np.full((size[1], size[0], 3), PAINT, np.uint8)
    for left, top, right, bottom in others:
        image[max(top, 0) : bottom, max(left, 0) : right] = RED
    left, top, right, bottom = FACE.astype(int)
    image[top:bottom, left:right] = GREEN
    return image


def redness(picture: np.ndarray) -> int:
    """How much more red than blue any pixel has: 0 for grey and green."""
    return int((picture[..., 2].astype(int) - picture[..., 0]).max())


def test_the_face_with_a_margin_and_no_more():
    picture = opened(face_evidence(street(), FACE, NOBODY))
    assert picture.shape[1] == pytest.approx(80 * (1 + 2 * MARGIN), abs=2)
    assert picture.shape[0] == pytest.approx(100 * (1 + 2 * MARGIN), abs=2)
    height, width = picture.shape[:2]
    assert np.abs(picture[height // 2, width // 2].astype(int) - GREEN).max() < 6
    assert np.abs(picture[2, 2].astype(int) - PAINT).max() < 6


SCENES = {
    "beside": [(185, 90, 240, 160)],
    "above and below": [(110, 40, 160, 75), (110, 185, 160, 230)],
    "half in the picture": [(60, 60, 95, 120)],
    "all around": [(60, 40, 98, 220), (182, 40, 220, 220), (60, 30, 220, 78)],
}


@pytest.mark.parametrize("others", SCENES.values(), ids=SCENES.keys())
def test_not_one_pixel_of_anybody_else(others):
    image = street(*others)
    boxes = np.array(others, np.float32)
    assert redness(opened(face_evidence(image, FACE, NOBODY))) > 100  # he would be seen
    painted = face_evidence(image, FACE, boxes)  # in the grey of an empty street
    assert painted.tobytes() == face_evidence(street(), FACE, NOBODY).tobytes()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 260), st.integers(0, 260), st.integers(4, 90), st.integers(4, 90)),
        min_size=1,
        max_size=5,
    )
)
def test_what_anybody_else_looks_like_changes_no_byte_of_the_file(rows):
    boxes = [(x, y, x + w, y + h) for x, y, w, h in rows]
    plain = street(*boxes)
    noisy = plain.copy()
    noise = np.random.default_rng(3).integers(0, 255, noisy.shape, np.uint8)
    for left, top, right, bottom in boxes:
        noisy[top:bottom, left:right] = noise[top:bottom, left:right]
    left, top, right, bottom = FACE.astype(int)
    noisy[top:bottom, left:right] = plain[top:bottom, left:right]
    others = np.array(boxes, np.float32)
    one, two = (face_evidence(each, FACE, others) for each in (plain, noisy))
    assert one.tobytes() == two.tobytes()


def test_a_box_over_the_face_itself_leaves_the_face():
    over = np.array([[90, 70, 170, 160]], np.float32)
    image = street((90, 70, 170, 160))
    picture = opened(face_evidence(image, FACE, over))
    height, width = picture.shape[:2]
    assert np.abs(picture[height // 2, width // 2].astype(int) - GREEN).max() < 6
    assert redness(picture) == redness(opened(face_evidence(street(), FACE, NOBODY)))


def test_the_frame_stays_as_it_is():
    image = street((185, 90, 240, 160))
    before = image.copy()
    face_evidence(image, FACE, np.array([[185, 90, 240, 160]], np.float32))
    assert (image == before).all()


@pytest.mark.parametrize(
    "box",
    [
        (700, 80, 780, 180),
        (-90, -90, -10, -10),
        (100, 80, 100, 180),
        (180, 180, 100, 80),
        (np.nan, 80, 180, 180),
        (np.inf, 80, np.inf, 180),
    ],
)
def test_what_is_no_face_in_the_picture_gives_no_picture(box):
    assert face_evidence(street(), np.array(box, np.float32), NOBODY) is None


@pytest.mark.parametrize("corner", [(-30, -20), (600, 330), (0, 0)])
def test_a_face_at_the_edge(corner):
    x, y = corner
    box = np.array([x, y, x + 80, y + 90], np.float32)
    assert opened(face_evidence(street(), box, NOBODY)).size


def test_boxes_that_are_no_numbers_hide_nobody_and_break_nothing():
    odd = np.array([[np.nan] * 4, [np.inf] * 4, [5000, 5000, 5001, 5001]], np.float32)
    assert face_evidence(street(), FACE, odd) is not None


@pytest.mark.parametrize("side", [40, 900, 2100])
def test_never_longer_than_a_message_can_carry(side):
    noise = np.random.default_rng(1).integers(0, 255, (2160, 3840, 3), np.uint8)
    box = np.array([20, 20, 20 + side, 20 + side], np.float32)
    data = face_evidence(noise, box, NOBODY)
    assert 500 < data.size <= MAX_BYTES
    assert max(opened(data).shape) <= 480


def test_the_file_says_nothing_but_the_picture():
    data = face_evidence(street(), FACE, NOBODY).tobytes()
    markers = set()
    place = 2
    while data[place + 1] != 0xDA:  # up to the start of the scan
        markers.add(data[place + 1])
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    assert markers <= {0xE0, 0xDB, 0xC0, 0xC4}  # JFIF head, tables: no EXIF, no comment
    assert data.startswith(b"\xff\xd8\xff\xe0\x00\x10JFIF")
