import cv2
import pytest

from agent.adapters.cameras.video_file import VideoFileCamera
from agent.errors import DataError, MissingFileError
from agent.values import CaptureCounts
from tests.support.captures import CaptureShop, FakeCapture
from tests.support.clocks import FakeClock
from tests.support.footage import picture, shade_of, video


def drain(camera):
    camera.open()
    frames = []
    while (frame := camera.read()) is not None:
        frames.append(frame)
    return frames


def scripted(outcomes, *, pts_ms=(), fps=20.0, declared=0.0):
    props = {cv2.CAP_PROP_FPS: fps, cv2.CAP_PROP_FRAME_COUNT: declared}
    return CaptureShop(FakeCapture(outcomes, props=props, pts_ms=pts_ms))


def test_every_frame_in_order_with_its_time(tmp_path):
    clock = FakeClock()
    frames = drain(VideoFileCamera(video(tmp_path / "v.mp4", 12, 20), clock, 30))
    assert [shade_of(f.image) for f in frames] == list(range(12))
    assert [f.seq for f in frames] == list(range(12))
    assert [f.at - clock.now for f in frames] == pytest.approx([i / 20 for i in range(12)])
    assert [f.captured_at - clock.wall_now for f in frames] == pytest.approx(
        [i / 20 for i in range(12)], abs=1e-6
    )


def test_it_can_be_opened_again_and_time_goes_on(tmp_path):
    camera = VideoFileCamera(video(tmp_path / "v.mp4", 3), FakeClock(), 30)
    first, again = drain(camera), drain(camera)
    assert len(again) == 3
    assert again[0].at > first[-1].at
    assert camera.counts() == CaptureCounts(read=6, reconnects=1)


def test_counts_and_close(tmp_path):
    camera = VideoFileCamera(video(tmp_path / "v.mp4", 3), FakeClock(), 30)
    camera.close()
    drain(camera)
    camera.close()
    camera.close()
    assert camera.counts() == CaptureCounts(read=3)
    assert camera.read() is None
    assert not camera.live


def test_damaged_frames_are_skipped_and_counted(tmp_path):
    shop = scripted([picture(0), None, "damaged", picture(3), "damaged"], declared=4)
    camera = VideoFileCamera(video(tmp_path / "v.mp4", 1), FakeClock(), 30, shop)
    frames = drain(camera)
    assert [f.seq for f in frames] == [0, 3]
    assert camera.counts() == CaptureCounts(read=2, corrupt=2)


def test_a_file_cut_short_counts_what_is_missing(tmp_path):
    shop = scripted([picture(i) for i in range(5)], declared=100)
    camera = VideoFileCamera(video(tmp_path / "v.mp4", 1), FakeClock(), 30, shop)
    drain(camera)
    assert camera.counts() == CaptureCounts(read=5, corrupt=95)


def test_a_change_of_size_is_counted(tmp_path):
    sizes = [(64, 48), (64, 48), (32, 24), (64, 48)]
    shop = scripted([picture(0, size) for size in sizes])
    camera = VideoFileCamera(video(tmp_path / "v.mp4", 1), FakeClock(), 30, shop)
    assert [f.size for f in drain(camera)] == sizes
    assert camera.counts().resized == 2


@pytest.mark.parametrize(
    ("pts_ms", "fps", "expected"),
    [
        ([0, 40, 100, 5000], 25, [0, 0.04, 0.1, 5.0]),
        ([0, 0, 0, 0], 25, [0, 0.04, 0.08, 0.12]),
        ([-1, float("nan"), -1, -1], 0, [0, 0.1, 0.2, 0.3]),
        ([0, 100, 50, 200], 20, [0, 0.1, 0.15, 0.2]),
        ([80, 120, 160, 200], 90_000, [0.08, 0.12, 0.16, 0.2]),
    ],
)
def test_presentation_times_or_the_rate(tmp_path, pts_ms, fps, expected):
    clock = FakeClock()
    shop = scripted([picture(i) for i in range(4)], pts_ms=pts_ms, fps=fps)
    frames = drain(VideoFileCamera(video(tmp_path / "v.mp4", 1), clock, 10, shop))
    assert [f.captured_at - clock.wall_now for f in frames] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", "the file is empty"), (b"only text\n" * 100, "not a video"), (b"\0" * 999, "not a")],
)
def test_bad_files_are_refused_in_one_line(tmp_path, capfd, content, expected):
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    with pytest.raises(DataError, match=expected) as caught:
        VideoFileCamera(path, FakeClock(), 30).open()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(MissingFileError, match="no such file"):
        VideoFileCamera(tmp_path / "none.mp4", FakeClock(), 30).open()
    with pytest.raises(DataError, match="folder"):
        VideoFileCamera(tmp_path, FakeClock(), 30).open()


def test_a_video_without_a_frame(tmp_path):
    shop = scripted(["damaged"] * 70)
    with pytest.raises(DataError, match="without a single frame"):
        VideoFileCamera(video(tmp_path / "v.mp4", 1), FakeClock(), 30, shop).open()


def test_a_real_file_with_damage_goes_on_after_it(tmp_path, capfd):
    path = video(tmp_path / "v.mp4", 200, 20, (320, 240))
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 4, len(data) // 2, 97):
        data[at] ^= 0xFF
    path.write_bytes(data)
    camera = VideoFileCamera(path, FakeClock(), 30)
    frames = drain(camera)
    assert len(frames) > 100
    assert frames[-1].captured_at - frames[0].captured_at == pytest.approx(199 / 20, abs=0.2)
    assert capfd.readouterr().err == ""
