from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import DataError
from agent.metrics.wider import parse_wider

FACE = "1 2 10 20 0 0 0 0 0 0"
DUMMY = "0 0 0 0 0 0 0 0 0 0"


def test_faces_as_corners_with_the_invalid_apart():
    text = f"0--Parade/a.jpg\n2\n{FACE} \n5 6 7 8 1 0 0 1 2 0\nb.jpg\n1\n{FACE}\n"
    first, second = parse_wider(text)
    assert first.path == "0--Parade/a.jpg"
    assert first.boxes.tolist() == [[1, 2, 11, 22], [5, 6, 12, 14]]
    assert first.boxes.dtype == np.float32
    assert first.invalid.tolist() == [False, True]
    assert (second.path, len(second.boxes)) == ("b.jpg", 1)


@pytest.mark.parametrize("dummy", [f"{DUMMY}\n", ""])
def test_a_picture_without_faces_has_one_dummy_line_or_none(dummy):
    empty, after = parse_wider(f"a.jpg\n0\n{dummy}b.jpg\n1\n{FACE}\n")
    assert (empty.path, empty.boxes.shape, empty.invalid.shape) == ("a.jpg", (0, 4), (0,))
    assert after.path == "b.jpg"


def test_the_last_picture_may_be_empty():
    assert len(parse_wider(f"a.jpg\n0\n{DUMMY}")) == 1
    assert len(parse_wider("a.jpg\r\n0\r\n")) == 1


def test_a_face_of_no_width_stays_in():
    (picture,) = parse_wider("a.jpg\n1\n706 94 0 1 2 0 0 0 1 0\n")
    assert picture.boxes.tolist() == [[706, 94, 706, 95]]
    assert picture.invalid.tolist() == [False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t.txt: empty"),
        ("a.jpg\n", "line 1: the file ends before the count of 'a.jpg'"),
        ("a.jpg\nb.jpg\n", "line 2: expected the number of faces of 'a.jpg', got 'b.jpg'"),
        ("a.jpg\n-1\n", "line 2: expected the number of faces"),
        (f"a.jpg\n2\n{FACE}\n", "line 3: the file ends after 1 of the 2 faces of 'a.jpg'"),
        (f"a.jpg\n1\n{FACE}\n{FACE}\n", "line 4: expected the path of a picture, got numbers"),
        (f"a.jpg\n2\n{FACE}\nb.jpg\n", "line 4: expected 10 numbers .* got 'b.jpg'"),
        ("a.jpg\n1\n1 2 3\n", "line 3: expected 10 numbers"),
        ("a.jpg\n1\n1 2 nan 4 0 0 0 0 0 0\n", "line 3: expected 10 numbers"),
        ("a.jpg\n1\n1 2 -3 4 0 0 0 0 0 0\n", "line 3: width and height cannot be below 0"),
        (f"a.jpg\n1\n{FACE}\na.jpg\n1\n{FACE}\n", "line 4: 'a.jpg' was already on line 1"),
        (f"../a.jpg\n1\n{FACE}\n", "line 1: '../a.jpg' leads out of the image folder"),
        (f"/a.jpg\n1\n{FACE}\n", "line 1: '/a.jpg' leads out of the image folder"),
    ],
)
def test_problems_name_their_line(text, message):
    with pytest.raises(DataError, match=message):
        parse_wider(text, "t.txt")


@given(st.text(alphabet="0123456789 \nab/.-", max_size=80))
def test_any_text_is_read_or_refused(text):
    try:
        pictures = parse_wider(text)
    except DataError:
        return
    assert pictures
    assert all(len(p.boxes) == len(p.invalid) for p in pictures)
