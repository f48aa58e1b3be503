"""RTSP against a real server on loopback, from Debian's packages."""

import subprocess
import sys
from pathlib import Path

import pytest

from agent.adapters.cameras import open_camera
from agent.adapters.clock import SystemClock
from agent.config import CameraConfig
from agent.errors import CameraError

SERVER = Path(__file__).parents[3] / "support" / "rtsp_server.py"
PROBE = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); "
    "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
    "raise SystemExit(Gst.ElementFactory.find('x264enc') is None)"
)
NEEDED = (
    "needs a Python with python3-gi, gir1.2-gst-rtsp-server-1.0 and gstreamer1.0-plugins-ugly "
    "(apt-get install them)"
)


def _python():
    for candidate in ("/usr/bin/python3", sys.executable):
        try:
            done = subprocess.run([candidate, "-c", PROBE], capture_output=True, check=False)
        except FileNotFoundError:
            continue
        if done.returncode == 0:
            return candidate
    return pytest.skip(NEEDED)


@pytest.fixture
def server():
    command = [_python(), str(SERVER), "320", "240", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        yield process, process.stdout.readline().decode().strip()
        process.kill()


@pytest.mark.slow
def test_frames_arrive_and_a_camera_that_dies_is_lost(server):
    process, url = server
    camera = open_camera(url, CameraConfig(stall_s=3), SystemClock(), pace="live")
    camera.open()
    frames = [camera.read() for _ in range(20)]
    assert {f.size for f in frames} == {(320, 240)}
    assert [f.seq for f in frames] == sorted({f.seq for f in frames})
    assert 0.3 < frames[-1].at - frames[0].at < 3
    assert frames[0].image.max() > 200  # the white ball of the test picture
    process.kill()
    with pytest.raises(CameraError, match="the camera went away"):
        list(iter(camera.read, None))
    with pytest.raises(CameraError, match="no answer"):
        camera.open()
    assert camera.counts().read >= 20
    camera.close()


@pytest.mark.slow
def test_a_stream_that_is_not_there(server):
    _, url = server
    camera = open_camera(url + "/none", CameraConfig(stall_s=3), SystemClock(), pace="live")
    with pytest.raises(CameraError, match="no such stream"):
        camera.open()
