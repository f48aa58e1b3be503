"""The camera's own motion, on painted pictures moved by known amounts."""

import cv2
import numpy as np
import pytest

from agent.vision.motion import Motion, estimate, shrink, warp_boxes, warp_points

SIZE = (640, 360)


@pytest.fixture(scope="module")
def street() -> np.ndarray:
    """A picture with structure of many sizes."""
    rng = np.random.default_rng(7)
    picture = np.full((SIZE[1] + 200, SIZE[0] + 200, 3), 90, np.uint8)
    for _ in range(160):
        x, y = (int(v) for v in rng.integers(0, (SIZE[0] + 200, SIZE[1] + 200)))
        w, h = (int(v) for v in rng.integers(15, 90, 2))
        colour = tuple(int(v) for v in rng.integers(0, 255, 3))
        cv2.rectangle(picture, (x, y), (x + w, y + h), colour, -1)
    return cv2.GaussianBlur(picture, (5, 5), 0)


def view(street: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return cv2.warpAffine(street, matrix, SIZE)


def camera(turn_deg: float = 0, scale: float = 1, x: float = 0, y: float = 0) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((SIZE[0] / 2, SIZE[1] / 2), turn_deg, scale)
    matrix[:, 2] += (x, y)
    return matrix


def with_margin(matrix: np.ndarray) -> np.ndarray:
    """The same camera looking at the larger picture, whose margin is 100 px."""
    shifted = matrix.copy()
    shifted[:, 2] -= matrix[:, :2] @ (100, 100)
    return shifted


@pytest.mark.parametrize(
    "move",
    [
        {},
        {"x": 20, "y": -10},
        {"x": -60, "y": 30},
        {"turn_deg": 3},
        {"scale": 1.05},
        {"turn_deg": -2, "scale": 0.97, "x": 15, "y": 12},
    ],
)
def test_a_known_motion_is_found(street: np.ndarray, move: dict[str, float]) -> None:
    truth = camera(**move)
    before = shrink(view(street, with_margin(camera())))
    after = shrink(view(street, with_margin(truth)))
    found = estimate(before, after)
    points = np.array([(120.0, 80.0), (520.0, 280.0), (320.0, 180.0)])
    error = np.abs(warp_points(points, found) - warp_points(points, Motion(truth)))
    assert error.max() < 2.5


def test_equal_pictures_give_equal_motions(street: np.ndarray) -> None:
    before = shrink(view(street, with_margin(camera())))
    after = shrink(view(street, with_margin(camera(x=17, turn_deg=1))))
    first = estimate(before, after)
    assert all(np.array_equal(estimate(before, after).matrix, first.matrix) for _ in range(3))


def test_one_thing_that_moves_alone_is_not_the_camera(street: np.ndarray) -> None:
    still = view(street, with_margin(camera()))
    moved = still.copy()
    moved[100:200, 260:360] = still[100:200, 220:320]
    found = estimate(shrink(still), shrink(moved))
    assert np.allclose(found.matrix, np.eye(2, 3), atol=0.5)


def test_people_who_fill_the_picture_are_not_the_camera(street: np.ndarray) -> None:
    still = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    moved = still.copy()
    still[60:300, 60:300] = moved[60:300, 100:340] = street[60:300, 60:300]
    still[60:300, 400:560] = moved[60:300, 440:600] = street[200:440, 400:560]
    before, after = shrink(still), shrink(moved)
    assert estimate(before, after).matrix[0, 2] > 20
    people = np.array([(120, 70, 240, 200), (420, 70, 540, 200)], np.float32)
    assert np.array_equal(estimate(before, after, people).matrix, np.eye(2, 3))


def test_corners_in_one_spot_say_nothing_of_the_rest(street: np.ndarray) -> None:
    still = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    moved = still.copy()
    still[100:160, 100:160] = moved[110:170, 120:180] = street[100:160, 100:160]
    assert np.array_equal(estimate(shrink(still), shrink(moved)).matrix, np.eye(2, 3))


def test_a_blank_picture_says_nothing() -> None:
    blank = shrink(np.full((360, 640, 3), 128, np.uint8))
    assert np.array_equal(estimate(blank, blank).matrix, np.eye(2, 3))


def test_unrelated_pictures_say_nothing_wild(street: np.ndarray) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (360, 640, 3)).astype(np.uint8)
    found = estimate(shrink(view(street, with_margin(camera()))), shrink(noise))
    assert 0.7 < found.scale < 1.4


def test_another_size_says_nothing(street: np.ndarray) -> None:
    whole = view(street, with_margin(camera()))
    found = estimate(shrink(whole), shrink(np.ascontiguousarray(whole[:, :320])))
    assert np.array_equal(found.matrix, np.eye(2, 3))


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (40, 30), (1920, 1080)])
def test_a_frame_of_any_size_has_a_thumbnail(size: tuple[int, int]) -> None:
    thumbnail = shrink(np.zeros((size[1], size[0], 3), np.uint8))
    assert thumbnail.size == size
    assert thumbnail.grey.shape[1] <= 160
    assert np.array_equal(estimate(thumbnail, thumbnail).matrix, np.eye(2, 3))


def test_boxes_move_and_grow_with_the_picture() -> None:
    motion = Motion(np.array([[2.0, 0, 10], [0, 2.0, -5]]))
    assert motion.scale == pytest.approx(2)
    assert warp_boxes(np.array([[10.0, 20, 30, 40]]), motion).tolist() == [[30, 35, 70, 75]]


def test_a_motion_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected shape \(2, 3\)"):
        Motion(np.eye(3))
