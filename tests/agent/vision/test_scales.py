"""Windows: nothing of the frame is left out, and none is larger than memory allows."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.vision.scales import COARSER, LARGEST, OVERLAP, SMALLEST, TILE, Window, windows

sides = st.one_of(st.integers(1, 700), st.integers(1, 20_000))
smallest = st.integers(8, 300)
FRAMES = [(1, 1), (1, 15_000), (20_000, 1), (176, 144), (640, 360), (1920, 1088), (20_000, 15_000)]


def scales_of(found: list[Window]) -> dict[float, list[Window]]:
    return {
        scale: [window for window in found if window.scale == scale]
        for scale in dict.fromkeys(window.scale for window in found)
    }


def uncovered(pieces: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Gaps that the pieces leave in 0..length."""
    at, gaps = 0, []
    for start, end in sorted(pieces):
        if start > at:
            gaps.append((at, start))
        at = max(at, end)
    return gaps + ([(at, length)] if at < length else [])


def check(width: int, height: int, min_face_px: float) -> None:
    found = windows(width, height, min_face_px)
    for scale, group in scales_of(found).items():
        assert 0 < scale <= 1
        columns, rows = group[0].width, group[0].height
        assert all((one.width, one.height) == (columns, rows) for one in group)
        assert columns == max(1, round(width * scale))
        assert rows == max(1, round(height * scale))
        for one in group:
            assert 0 <= one.left < one.right <= columns
            assert 0 <= one.top < one.bottom <= rows
            assert one.right - one.left <= TILE
            assert one.bottom - one.top <= TILE
        across = sorted({(one.left, one.right) for one in group})
        down = sorted({(one.top, one.bottom) for one in group})
        assert len(group) == len(across) * len(down), "a full grid"
        assert not uncovered(across, columns)
        assert not uncovered(down, rows)
        for pieces, length in ((across, columns), (down, rows)):
            fewer = len(pieces) - 1
            assert not fewer or OVERLAP + fewer * (TILE - OVERLAP) < length, "no piece too many"
        # neighbours share at least OVERLAP, so whatever is no longer is whole in one of them
        for pieces in (across, down):
            for before, after in pairwise(pieces):
                assert before[1] - after[0] >= OVERLAP


@given(sides, sides, smallest)
def test_every_pixel_and_every_face_up_to_the_overlap_is_whole_in_some_window(
    width: int, height: int, min_face_px: int
) -> None:
    check(width, height, min_face_px)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("min_face_px", [8, 16, 24, 100, 300])
def test_frames_of_any_size(frame: tuple[int, int], min_face_px: int) -> None:
    check(*frame, min_face_px)


@given(sides, sides, smallest)
def test_every_wanted_face_has_a_pass_that_knows_its_size(
    width: int, height: int, min_face_px: int
) -> None:
    """From the smallest to the whole shorter side; twice `LARGEST` is what a pass finds at all."""
    passes = [
        (scale, group[0].least)
        for scale, group in scales_of(windows(width, height, min_face_px)).items()
    ]
    finest = passes[0][0]
    assert min_face_px * finest == pytest.approx(min(SMALLEST, min_face_px))
    size = float(min(width, height))
    while size >= min_face_px:
        assert any(least <= size * scale <= 2 * LARGEST + 1 for scale, least in passes)
        size /= 1.1


@given(sides, sides, smallest)
def test_faces_that_a_finer_pass_sees_too_large_are_left_to_a_coarser(
    width: int, height: int, min_face_px: int
) -> None:
    passes = [
        (scale, group[0].least)
        for scale, group in scales_of(windows(width, height, min_face_px)).items()
    ]
    assert passes[0][1] == 0
    for (fine, _), (coarse, least) in pairwise(passes):
        assert coarse == pytest.approx(fine / COARSER)
        assert 0 < least / coarse * fine < LARGEST, "the two passes share some sizes"


def test_a_camera_frame_is_looked_at_once() -> None:
    found = windows(640, 360, 24)
    assert found == [Window(SMALLEST / 24, 0.0, 427, 240, 0, 0, 427, 240)]


def test_a_wide_frame_is_cut_into_tiles_that_end_at_its_edge() -> None:
    found = [one for one in windows(5000, 300, 8) if one.scale == 1.0]
    assert [(one.left, one.right) for one in found] == [
        (0, 1920),
        (1027, 2947),
        (2053, 3973),
        (3080, 5000),
    ]


def test_the_largest_frame_stays_within_a_hundred_odd_windows() -> None:
    found = windows(20_000, 15_000, 16)
    tiles = math.ceil(20_000 / (TILE - OVERLAP)) * math.ceil(15_000 / (TILE - OVERLAP))
    assert len(found) <= 1.5 * tiles
