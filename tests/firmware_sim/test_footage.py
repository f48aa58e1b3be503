import cv2
import pytest

from firmware_sim.errors import Exit, SimError
from firmware_sim.footage import find, shots
from tests.support.footage import picture, shade_of, video


def save(folder, name, i):
    path = folder / name
    assert cv2.imwrite(str(path), picture(i))
    return path


def played(paths, *, loop=1, fps=None):
    return [(shade_of(s.image), s.at_us) for s in shots(paths, loop=loop, fps=fps)]


def test_a_video_at_its_own_times(tmp_path):
    assert played([video(tmp_path / "v.mp4", 4, 20)]) == [
        (0, 0),
        (1, 50_000),
        (2, 100_000),
        (3, 150_000),
    ]


def test_each_file_begins_where_the_last_one_ended(tmp_path):
    paths = [video(tmp_path / "v.mp4", 2, 20), save(tmp_path, "p.png", 7), tmp_path / "v.mp4"]
    assert played(paths) == [(0, 0), (1, 50_000), (7, 100_000), (0, 200_000), (1, 250_000)]


def test_again_and_again(tmp_path):
    path = video(tmp_path / "v.mp4", 2, 10)
    assert [at for _, at in played([path], loop=3)] == [i * 100_000 for i in range(6)]
    endless = shots([path], loop=0, fps=None)
    assert [next(endless).at_us for _ in range(7)][-1] == 600_000


def test_a_rate_of_our_own(tmp_path):
    paths = [video(tmp_path / "v.mp4", 3, 20), save(tmp_path, "p.png", 7)]
    assert [at for _, at in played(paths, fps=4)] == [0, 250_000, 500_000, 750_000]


def test_a_folder_in_natural_order(tmp_path):
    for i, name in enumerate(["1.png", "2.jpg", "10.bmp"]):
        save(tmp_path, name, i)
    (tmp_path / "notes.txt").write_text("x")
    paths = find([str(tmp_path)])
    assert [i for i, _ in played(paths)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("name", "content", "code", "expected"),
    [
        ("none.mp4", None, Exit.NO_INPUT, "no such file"),
        ("empty.mp4", b"", Exit.DATA, "empty"),
        ("text.mp4", b"text\n" * 99, Exit.DATA, "not a video or picture"),
        ("text.png", b"text\n" * 99, Exit.DATA, "not a video or picture"),
        ("a\0b.mp4", None, Exit.NO_INPUT, "a.b"),
    ],
)
def test_bad_footage(tmp_path, name, content, code, expected):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SimError, match=expected) as caught:
        find([str(path)])
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


def test_a_folder_without_pictures(tmp_path):
    with pytest.raises(SimError, match="no picture") as caught:
        find([str(tmp_path)])
    assert caught.value.code == Exit.DATA
