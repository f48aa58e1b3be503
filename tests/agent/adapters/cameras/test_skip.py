"""Passing frames by, as a disarmed device does: numbers go on, no picture is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.adapters.cameras import image_folder, open_camera
from agent.adapters.cameras.live_capture import LiveCaptureCamera
from agent.adapters.cameras.video_file import VideoFileCamera
from agent.config import CameraConfig
from agent.errors import CameraError
from tests.support.captures import FakeCapture
from tests.support.clocks import FakeClock
from tests.support.footage import jpeg, picture, shade_of, video
from tests.support.http_camera import STREAM_HEAD, HttpCamera, part
from tests.support.portraits import save_portrait


def test_pictures_passed_by_are_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        save_portrait(tmp_path / f"{number}.png", number + 1)
    camera = open_camera(str(tmp_path), CameraConfig(), FakeClock(), pace="max")
    camera.open()
    with monkeypatch.context() as patched:
        patched.setattr(image_folder, "read_image", None)
        assert [camera.skip(), camera.skip()] == [True, True]
    frame = camera.read()
    assert frame is not None
    assert frame.seq == 2
    assert [camera.skip(), camera.skip()] == [True, False]
    assert camera.counts().read == 1
    camera.close()


def test_a_video_passed_by_goes_on_where_it_is(tmp_path: Path) -> None:
    clock = FakeClock()
    camera = VideoFileCamera(video(tmp_path / "v.mp4", 6, 20), clock, 30)
    camera.open()
    assert [camera.skip() for _ in range(4)] == [True] * 4
    frame = camera.read()
    assert frame is not None
    assert (frame.seq, shade_of(frame.image)) == (4, 4)
    assert frame.captured_at - clock.wall_now == pytest.approx(0.2, abs=1e-6)
    assert [camera.skip(), camera.skip(), camera.skip()] == [True, False, False]


def test_parts_of_a_stream_passed_by_are_not_decoded() -> None:
    """The first two parts are no pictures at all: nobody tried to read them."""
    parts = [part(b"no picture"), part(b"nor this"), part(jpeg(2)), b"--frame--\r\n"]
    with HttpCamera(STREAM_HEAD + b"".join(parts)) as server:
        camera = open_camera(server.url, CameraConfig(), FakeClock(), pace="max")
        camera.open()
        assert [camera.skip(), camera.skip()] == [True, True]
        frame = camera.read()
        assert frame is not None
        assert (frame.seq, shade_of(frame.image)) == (2, 2)
        assert camera.skip() is False
        assert camera.counts().corrupt == 0
        camera.close()


def test_a_webcam_passed_by_is_grabbed_only_and_its_loss_is_noticed() -> None:
    capture = FakeCapture([picture(0), picture(1), picture(2)])
    camera = LiveCaptureCamera("webcam", lambda: capture, FakeClock())
    camera.open()
    assert [camera.skip(), camera.skip()] == [True, True]
    frame = camera.read()
    assert frame is not None
    assert (frame.seq, shade_of(frame.image)) == (2, 2)
    with pytest.raises(CameraError, match="went away"):
        camera.skip()
    with pytest.raises(CameraError, match="not open"):
        camera.skip()
