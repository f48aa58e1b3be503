import cv2
import pytest

from agent.adapters.cameras.image_folder import ImageFolderCamera, natural_key
from agent.errors import DataError, MissingFileError
from agent.values import CaptureCounts
from tests.support.clocks import FakeClock
from tests.support.footage import picture, shade_of


def drain(camera):
    camera.open()
    frames = []
    while (frame := camera.read()) is not None:
        frames.append(frame)
    return frames


def save(folder, name, i, size=(64, 48)):
    assert cv2.imwrite(str(folder / name), picture(i, size))


def test_natural_order_rate_and_formats(tmp_path):
    for i, name in enumerate(["a1.png", "a2.JPG", "a10.bmp", "b.webp"]):
        save(tmp_path, name, i)
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "folder.png").mkdir()
    clock = FakeClock()
    frames = drain(ImageFolderCamera(tmp_path, clock, 4))
    assert [shade_of(f.image) for f in frames] == [0, 1, 2, 3]
    assert [f.at - clock.now for f in frames] == pytest.approx([0, 0.25, 0.5, 0.75])
    assert [f.captured_at - clock.wall_now for f in frames] == [0, 0.25, 0.5, 0.75]


def test_bad_pictures_are_skipped_and_counted_and_keep_their_place(tmp_path):
    save(tmp_path, "1.png", 1)
    (tmp_path / "2.png").write_bytes(b"")
    (tmp_path / "3.jpg").write_text("text")
    save(tmp_path, "4.png", 4, (32, 24))
    camera = ImageFolderCamera(tmp_path, FakeClock(), 10)
    frames = drain(camera)
    assert [f.seq for f in frames] == [0, 3]
    assert frames[1].at - frames[0].at == pytest.approx(0.3)
    assert camera.counts() == CaptureCounts(read=2, corrupt=2, resized=1)


def test_a_picture_that_vanishes_is_counted(tmp_path):
    save(tmp_path, "1.png", 1)
    save(tmp_path, "2.png", 2)
    camera = ImageFolderCamera(tmp_path, FakeClock(), 10)
    camera.open()
    (tmp_path / "1.png").unlink()
    frame = camera.read()
    assert frame is not None
    assert frame.seq == 1
    assert camera.counts().corrupt == 1


def test_a_single_picture(tmp_path):
    save(tmp_path, "one.png", 5)
    assert [
        shade_of(f.image) for f in drain(ImageFolderCamera(tmp_path / "one.png", FakeClock(), 1))
    ] == [5]
    (tmp_path / "bad.png").write_text("text")
    with pytest.raises(DataError, match="not a BMP or JPEG or PNG or WEBP picture"):
        ImageFolderCamera(tmp_path / "bad.png", FakeClock(), 1).open()


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match=r"no \.jpg"):
        ImageFolderCamera(tmp_path, FakeClock(), 1).open()
    with pytest.raises(MissingFileError, match="no such folder"):
        ImageFolderCamera(tmp_path / "none", FakeClock(), 1).open()


def test_closed_is_over(tmp_path):
    save(tmp_path, "1.png", 1)
    camera = ImageFolderCamera(tmp_path, FakeClock(), 1)
    camera.close()
    assert camera.read() is None


def test_natural_key_orders_mixed_names():
    names = ["10", "9a", "a10", "a9", "A8", "b", "", "007"]
    assert sorted(names, key=natural_key) == ["", "007", "9a", "10", "A8", "a9", "a10", "b"]
