"""Webcams and RTSP, with a scripted device below OpenCV's interface."""

import errno
import os

import cv2
import pytest

from agent.adapters.cameras.rtsp import rtsp_camera
from agent.adapters.cameras.v4l2 import v4l2_camera
from agent.config import CameraConfig
from agent.errors import CameraError
from agent.values import CaptureCounts
from tests.support.captures import CaptureShop, FakeCapture
from tests.support.clocks import FakeClock
from tests.support.footage import picture, shade_of

CONFIG = CameraConfig(width=320, height=240, fps=30, stall_s=5)
PASSWORD_URL = "rtsp://me:hidden@cam.example:8554/live"


def shot(i, size=(320, 240)):
    return picture(i, size)


def webcam(*captures, clock=None, probe=lambda _: None, live=True):
    shop = CaptureShop(*captures)
    camera = v4l2_camera(
        "/dev/video7", CONFIG, clock or FakeClock(), live=live, capture=shop, probe=probe
    )
    return camera, shop


def failing(code):
    def probe(device):
        raise OSError(code, os.strerror(code), device)

    return probe


def test_mjpeg_is_asked_before_size_and_rate():
    device = FakeCapture([shot(0)])
    camera, shop = webcam(device)
    camera.open()
    assert shop.asked == [("/dev/video7", cv2.CAP_V4L2, [])]
    assert device.calls == [
        (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
        (cv2.CAP_PROP_FRAME_WIDTH, 320),
        (cv2.CAP_PROP_FRAME_HEIGHT, 240),
        (cv2.CAP_PROP_FPS, 30),
        (cv2.CAP_PROP_BUFFERSIZE, 1),
    ]
    assert camera.live
    assert camera.notice == ""


def test_the_first_real_frame_tells_the_size_and_is_not_lost():
    camera, _ = webcam(FakeCapture([shot(3, (32, 24)), shot(4, (32, 24))]))
    camera.open()
    assert camera.notice == "/dev/video7: asked for 320x240, gives 32x24"
    assert [shade_of(camera.read().image) for _ in range(2)] == [3, 4]


def test_frames_are_dated_at_the_grab():
    clock = FakeClock()
    camera, _ = webcam(FakeCapture([shot(0), shot(1)]), clock=clock)
    camera.open()
    first = camera.read()
    clock.advance(0.5)
    second = camera.read()
    assert (first.at, first.captured_at) == (1000.0, 1_800_000_000.0)
    assert second.at - first.at == pytest.approx(0.5)


def test_damage_is_counted_and_unplugging_is_an_error():
    first = FakeCapture([shot(0), "damaged", shot(2), None])
    camera, _ = webcam(first, FakeCapture([shot(5)]))
    camera.open()
    assert [camera.read().seq for _ in range(2)] == [0, 2]
    with pytest.raises(CameraError, match="/dev/video7: the camera went away"):
        camera.read()
    assert first.released
    with pytest.raises(CameraError, match="not open"):
        camera.read()
    camera.open()
    assert camera.read().seq == 3
    assert camera.counts() == CaptureCounts(read=3, corrupt=1, reconnects=1)


def test_nothing_but_damage_is_no_camera():
    camera, _ = webcam(FakeCapture([shot(0), *["damaged"] * 400]))
    camera.open()
    camera.read()
    with pytest.raises(CameraError, match="went away"):
        camera.read()


def test_opened_without_a_shot():
    device = FakeCapture([None])
    camera, _ = webcam(device)
    with pytest.raises(CameraError, match="gives no picture"):
        camera.open()
    assert device.released


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (errno.EACCES, "group `video`"),
        (errno.ENOENT, "no such camera"),
        (errno.EBUSY, "in use"),
        (errno.EIO, "cannot be opened"),
    ],
)
def test_a_device_that_may_not_be_opened(code, expected):
    camera, shop = webcam(probe=failing(code))
    with pytest.raises(CameraError, match=expected) as caught:
        camera.open()
    assert "\n" not in str(caught.value)
    assert shop.asked == []


def test_the_real_probe_misses_a_device_that_is_not_there():
    with pytest.raises(CameraError, match="/dev/video250: no such camera"):
        v4l2_camera("/dev/video250", CONFIG, FakeClock()).open()


def test_not_a_capture_device():
    device = FakeCapture(opened=False)
    camera, _ = webcam(device)
    with pytest.raises(CameraError, match="not a video capture device"):
        camera.open()
    assert device.released


def test_rtsp_uses_tcp_and_timeouts_and_hides_the_password():
    shop = CaptureShop(FakeCapture([shot(0)]), FakeCapture(opened=False))
    camera = rtsp_camera(PASSWORD_URL, CONFIG, FakeClock(), capture=shop)
    camera.open()
    url, backend, parameters = shop.asked[0]
    assert (url, backend) == (PASSWORD_URL, cv2.CAP_FFMPEG)
    assert dict(zip(parameters[::2], parameters[1::2], strict=True)) == {
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: 5000,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC: 5000,
        cv2.CAP_PROP_N_THREADS: 1,
    }
    assert "rtsp_transport;tcp" in shop.options[0]
    assert "OPENCV_FFMPEG_CAPTURE_OPTIONS" not in os.environ
    camera.read()
    for call in (camera.read, camera.open):
        with pytest.raises(CameraError, match=r"rtsp://cam\.example:8554/live") as caught:
            call()
        assert "hidden" not in str(caught.value)


def test_read_in_full_is_not_live():
    camera, _ = webcam(FakeCapture([shot(0)]), live=False)
    assert not camera.live


def test_options_of_the_user_for_ffmpeg_stay(monkeypatch):
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;udp")
    shop = CaptureShop(FakeCapture([shot(0)]))
    rtsp_camera(PASSWORD_URL, CONFIG, FakeClock(), capture=shop).open()
    assert shop.options == ["rtsp_transport;udp"]
    assert os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] == "rtsp_transport;udp"
