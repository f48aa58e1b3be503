from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.metrics.detection import (
    FALSE,
    HEIGHT_BINS,
    IGNORED,
    FoundFaces,
    average_precision,
    evaluate_detection,
    iou,
    match,
    match_all,
)
from agent.metrics.wider import TrueFaces


def found(*rows):
    """Rows of left, top, right, bottom, score."""
    table = np.array(rows, np.float32).reshape(-1, 5)
    return FoundFaces(table[:, :4], table[:, 4])


def truth(*boxes, invalid=()):
    table = np.array(boxes, np.float32).reshape(-1, 4)
    return TrueFaces("a.jpg", table, np.isin(np.arange(len(table)), invalid))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 15, 10), 50 / 150),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),
        ((0, 0, 10, 10), (2, 2, 4, 7), 0.1),
        ((3, 3, 3, 9), (3, 3, 3, 9), 0.0),
        ((5, 5, 2, 2), (0, 0, 9, 9), 0.0),
    ],
)
def test_iou_table(a, b, expected):
    assert iou(found((*a, 1)).boxes, found((*b, 1)).boxes) == pytest.approx(expected)
    assert iou(found((*b, 1)).boxes, found((*a, 1)).boxes) == pytest.approx(expected)


def test_iou_of_nothing_has_its_shape():
    assert iou(np.zeros((0, 4), np.float32), np.zeros((3, 4), np.float32)).shape == (0, 3)


def test_the_best_score_takes_the_face_and_the_second_is_false():
    here = found((0, 0, 10, 10, 0.5), (0, 0, 10, 11, 0.9))
    assert match(here, truth((0, 0, 10, 10))).tolist() == [FALSE, 0]


def test_a_taken_face_leaves_the_next_best_one():
    there = truth((0, 0, 10, 10), (0, 0, 10, 8))
    here = found((0, 0, 10, 10, 0.9), (0, 0, 10, 9.5, 0.8), (0, 0, 10, 9, 0.7))
    assert match(here, there).tolist() == [0, 1, FALSE]


def test_an_overlap_of_exactly_half_counts():
    assert match(found((0, 0, 10, 5, 1)), truth((0, 0, 10, 10))).tolist() == [0]
    assert match(found((0, 0, 10, 4.9, 1)), truth((0, 0, 10, 10))).tolist() == [FALSE]


def test_invalid_faces_are_neither_true_nor_false():
    there = truth((0, 0, 10, 10), (0, 0, 10, 9), invalid=[1])
    here = found((0, 0, 10, 9, 0.9), (0, 0, 10, 9, 0.8), (0, 0, 10, 9, 0.7), (50, 0, 60, 10, 0.6))
    # The valid face is preferred though the invalid one fits better; then it absorbs any number.
    assert match(here, there).tolist() == [0, IGNORED, IGNORED, FALSE]


def test_average_precision_by_hand():
    # Right, wrong, right, right of 4 faces: precision 1, 1/2, 2/3, 3/4; the envelope from the
    # right makes 1, 3/4, 3/4, 3/4 of it, at recall 1/4, 1/4, 2/4, 3/4.
    correct = np.array([True, False, True, True])
    assert average_precision(correct, 4) == pytest.approx((1 + 3 / 4 + 3 / 4) / 4)
    assert average_precision(np.zeros(0, bool), 3) == 0.0


def test_a_whole_set():
    pictures = [
        truth((0, 0, 10, 10), (20, 0, 40, 20)),  # heights 10 and 20
        truth((0, 0, 100, 100), (200, 0, 210, 12), invalid=[1]),  # 100; one invalid
        truth(),
    ]
    faces = [
        found((0, 0, 10, 10, 0.9), (60, 0, 70, 10, 0.8)),  # finds the small one; a false one of 10
        found((0, 0, 100, 90, 0.7), (200, 0, 210, 12, 0.95)),  # finds the big one; ignored
        found((0, 0, 40, 40, 0.1)),  # false, 40 high
    ]
    figures = evaluate_detection(faces, pictures)
    assert (figures.images, figures.faces) == (3, 3)
    # In order: right .9, wrong .8, right .7, wrong .1 of 3 faces.
    assert figures.ap == pytest.approx((1 + 2 / 3) / 3)
    assert figures.ap_by_height == {"<16": 1.0, "16-32": 0.0, "32-64": None, ">=64": 1.0}
    assert figures.recall_under_16 == 1.0


def test_a_false_detection_counts_in_the_bin_of_its_own_height():
    pictures = [truth((0, 0, 10, 10), (50, 0, 90, 40))]
    faces = [found((200, 0, 212, 12, 0.9), (0, 0, 10, 10, 0.8), (50, 0, 90, 40, 0.7))]
    figures = evaluate_detection(faces, pictures)
    assert figures.ap_by_height["<16"] == 0.5
    assert figures.ap_by_height["32-64"] == 1.0


def test_a_detection_is_binned_by_the_face_it_found():
    # 17 high, but of a face 15 high.
    figures = evaluate_detection([found((0, 0, 10, 17, 0.9))], [truth((0, 0, 10, 15))])
    assert figures.ap_by_height == {"<16": 1.0, "16-32": None, "32-64": None, ">=64": None}


def test_a_face_of_no_width_can_never_be_found():
    figures = evaluate_detection([found()], [truth((5, 5, 5, 25))])
    assert (figures.faces, figures.ap) == (1, 0.0)


def test_no_faces_and_no_pictures():
    nothing = evaluate_detection([found((0, 0, 9, 9, 0.5))], [truth()])
    assert (nothing.faces, nothing.ap, nothing.recall_under_16) == (0, None, None)
    assert evaluate_detection([], []).images == 0


def boxes(rows):
    corner = st.integers(0, 12)
    side = st.integers(0, 40)
    return st.lists(st.tuples(corner, corner, side, side), max_size=rows).map(
        lambda items: [(x, y, x + w, y + h) for x, y, w, h in items]
    )


@st.composite
def sets(draw):
    """Up to three pictures; scores are distinct over the set, so that the order is one."""
    faces, pictures = [], []
    order = iter(draw(st.permutations(range(20))))
    for _ in range(draw(st.integers(1, 3))):
        faces.append(found(*((*box, next(order) / 20) for box in draw(boxes(6)))))
        there = draw(boxes(5))
        pictures.append(truth(*there, invalid=draw(st.sets(st.integers(0, 4)).map(list))))
    return faces, pictures


def overlap_of(a, b):
    """IoU by counting unit squares."""

    def squares(box):
        return {
            (x, y) for x in range(int(box[0]), int(box[2])) for y in range(int(box[1]), int(box[3]))
        }

    first, second = squares(a), squares(b)
    return len(first & second) / len(first | second) if first & second else 0.0


def oracle(faces, pictures, low, high):
    """AP written out: one global loop by score, then the area over each step of recall."""
    queue = sorted(
        (
            (-score, number, box)
            for number, here in enumerate(faces)
            for box, score in zip(here.boxes.tolist(), here.scores.tolist(), strict=True)
        ),
        key=lambda item: item[0],
    )
    taken, marks = set(), []
    for _, number, box in queue:
        there = pictures[number]
        options = [
            (overlap_of(box, face), -row)
            for row, face in enumerate(there.boxes.tolist())
            if not there.invalid[row] and (number, row) not in taken
        ]
        best, row = max(options, default=(0.0, 0))
        if best >= 0.5:
            taken.add((number, -row))
            face = there.boxes[-row]
            marks.append((True, face[3] - face[1]))
        elif not any(
            overlap_of(box, face) >= 0.5
            for face, invalid in zip(there.boxes.tolist(), there.invalid, strict=True)
            if invalid
        ):
            marks.append((False, box[3] - box[1]))
    total = sum(
        low <= face[3] - face[1] < high
        for there in pictures
        for face, invalid in zip(there.boxes, there.invalid, strict=True)
        if not invalid
    )
    if not total:
        return None
    right = [ok for ok, height in marks if low <= height < high]
    points = [(sum(right[: k + 1]), sum(right[: k + 1]) / (k + 1)) for k in range(len(right))]
    area = 0.0
    for step in range(1, sum(right) + 1):
        area += max(precision for hits, precision in points if hits >= step) / total
    return area


@settings(max_examples=40)
@given(sets())
def test_against_the_oracle(drawn):
    faces, pictures = drawn
    matches = match_all(faces, pictures)
    assert matches.ap() == pytest.approx(oracle(faces, pictures, 0, float("inf")))
    for low, high in HEIGHT_BINS.values():
        assert matches.ap(low, high) == pytest.approx(oracle(faces, pictures, low, high))


@settings(max_examples=40)
@given(sets())
def test_only_the_order_of_scores_matters(drawn):
    faces, pictures = drawn
    squashed = [FoundFaces(here.boxes, here.scores**3 / 2) for here in faces]
    assert evaluate_detection(squashed, pictures) == evaluate_detection(faces, pictures)
