import subprocess
import sys

import pytest

from agent.adapters.cameras import open_camera
from agent.adapters.cameras.http_mjpeg import HttpMjpegCamera
from agent.adapters.cameras.image_folder import ImageFolderCamera
from agent.adapters.cameras.live_capture import LiveCaptureCamera
from agent.adapters.cameras.video_file import VideoFileCamera
from agent.config import CameraConfig
from agent.errors import CameraError, MissingFileError, UnavailableError, UsageError
from tests.support.clocks import FakeClock


def choose(source, pace="auto"):
    return open_camera(str(source), CameraConfig(), FakeClock(), pace=pace)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("http://cam/x", HttpMjpegCamera),
        ("HTTPS://cam/x", HttpMjpegCamera),
        ("rtsp://cam/x", LiveCaptureCamera),
        ("rtsps://cam/x", LiveCaptureCamera),
        ("/dev/video0", LiveCaptureCamera),
        ("camera:12", LiveCaptureCamera),
    ],
)
def test_live_sources(source, kind):
    for pace, live in (("auto", True), ("live", True), ("max", False)):
        camera = choose(source, pace)
        assert isinstance(camera, kind)
        assert camera.live is live


@pytest.mark.parametrize("pace", ["auto", "live", "max"])
def test_files_are_never_live(tmp_path, pace):
    assert isinstance(choose(tmp_path, pace), ImageFolderCamera)
    assert isinstance(choose("x.JPG", pace), ImageFolderCamera)
    assert isinstance(choose("x.mp4", pace), VideoFileCamera)
    assert not choose("x.mp4", pace).live


@pytest.mark.parametrize("source", ["", "  ", "ftp://cam/x", "camera:", "camera:x", "/dev/videoX"])
def test_not_a_source(source):
    with pytest.raises(UsageError):
        choose(source)


def test_a_csi_camera_says_what_to_do():
    with pytest.raises(UnavailableError, match="board installation"):
        choose("csi:0")


@pytest.mark.parametrize("name", ["none.mp4", "none.jpg", "none"])
def test_a_missing_file_is_found_at_open(tmp_path, name):
    with pytest.raises(MissingFileError):
        choose(tmp_path / name).open()


def test_a_webcam_that_is_not_there():
    with pytest.raises(CameraError, match="/dev/video251"):
        choose("camera:251").open()


def test_only_what_is_needed_is_imported():
    code = (
        "import sys, agent.adapters.cameras as c; "
        "assert 'cv2' not in sys.modules; assert 'http.client' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
