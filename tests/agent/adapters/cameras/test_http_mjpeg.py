import socket
import threading
from contextlib import ExitStack, contextmanager

import cv2
import pytest

from agent.adapters.cameras import open_camera
from agent.config import CameraConfig
from agent.errors import CameraError, DataError
from agent.values import CaptureCounts
from tests.support.clocks import FakeClock
from tests.support.footage import jpeg, picture, shade_of
from tests.support.http_camera import STREAM_HEAD, HttpCamera, part

END = b"--frame--\r\n"


@pytest.fixture
def reader():
    cameras = []

    def make(url, *, pace="max", clock=None, stall_s=5.0):
        camera = open_camera(url, CameraConfig(stall_s=stall_s), clock or FakeClock(), pace=pace)
        cameras.append(camera)
        return camera

    yield make
    for camera in cameras:
        camera.close()


def drain(camera):
    frames = []
    while (frame := camera.read()) is not None:
        frames.append(frame)
    return frames


def stream(*bodies, end=END, rate=10):
    parts = [part(body, f"{1_700_000_000 + i / rate:.6f}") for i, body in enumerate(bodies)]
    return STREAM_HEAD + b"".join(parts) + end


def test_every_frame_with_the_time_of_the_camera(reader):
    clock = FakeClock()
    with HttpCamera(stream(*(jpeg(i) for i in range(8)))) as server:
        camera = reader(server.url, clock=clock)
        camera.open()
        frames = drain(camera)
    assert [shade_of(f.image) for f in frames] == list(range(8))
    assert [f.captured_at for f in frames] == [1_700_000_000 + i / 10 for i in range(8)]
    assert [f.at - clock.now for f in frames] == pytest.approx([i / 10 for i in range(8)], abs=1e-6)
    assert camera.counts() == CaptureCounts(read=8)


def test_live_skips_to_the_newest(reader):
    with HttpCamera(stream(*(jpeg(i) for i in range(8)))) as server:
        camera = reader(server.url, pace="live")
        camera.open()
        frames = drain(camera)
    assert frames[-1].seq == 7
    assert shade_of(frames[-1].image) == 7
    assert len(frames) < 8


def test_without_a_stamp_it_is_now(reader):
    clock = FakeClock()
    with HttpCamera(STREAM_HEAD + part(jpeg(1)) + END) as server:
        camera = reader(server.url, clock=clock)
        camera.open()
        frame = camera.read()
    assert (frame.at, frame.captured_at) == (1000.0, 1_800_000_000.0)


def test_corrupt_parts_and_sizes_are_counted(reader):
    png = cv2.imencode(".png", picture(0))[1].tobytes()
    bodies = [jpeg(0), png, jpeg(2)[:-20], jpeg(3, (32, 24)), b"", jpeg(5)]
    with HttpCamera(stream(*bodies)) as server:
        camera = reader(server.url)
        camera.open()
        frames = drain(camera)
    assert [f.seq for f in frames] == [0, 3, 5]
    assert [f.size for f in frames] == [(64, 48), (32, 24), (64, 48)]
    assert camera.counts() == CaptureCounts(read=3, corrupt=3, resized=2)


def test_garbage_between_parts_counts_as_corrupt(reader):
    data = STREAM_HEAD + part(jpeg(0)) + b"garbage" * 30 + b"\r\n" + part(jpeg(1)) + END
    with HttpCamera(data) as server:
        camera = reader(server.url)
        camera.open()
        assert len(drain(camera)) == 2
    assert camera.counts().corrupt == 1


def test_a_cut_connection_is_lost_and_opened_again(reader):
    answers = stream(jpeg(0), jpeg(1), end=b""), stream(jpeg(2))
    with HttpCamera(*answers) as server:
        camera = reader(server.url)
        camera.open()
        assert [camera.read().seq for _ in range(2)] == [0, 1]
        with pytest.raises(CameraError, match="closed the connection"):
            camera.read()
        with pytest.raises(CameraError, match="not open"):
            camera.read()
        camera.open()
        again = drain(camera)
    assert [f.seq for f in again] == [2]
    assert camera.counts() == CaptureCounts(read=3, reconnects=1)


def test_chunked_transfer(reader):
    body = stream(jpeg(0), jpeg(1))[len(STREAM_HEAD) :]
    head = STREAM_HEAD.replace(b"Connection: close", b"Transfer-Encoding: chunked")
    pieces = [body[i : i + 500] for i in range(0, len(body), 500)]
    data = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    with HttpCamera(head + data) as server:
        camera = reader(server.url)
        camera.open()
        assert len(drain(camera)) == 2


@pytest.mark.slow
def test_silence_is_a_loss(reader):
    with HttpCamera(stream(jpeg(0), end=b""), silent=True) as server:
        camera = reader(server.url, stall_s=1.0)
        camera.open()
        camera.read()
        with pytest.raises(CameraError, match="silent for too long"):
            camera.read()


class HurriedClock(FakeClock):
    """Ten seconds pass whenever somebody looks."""

    def monotonic(self):
        self.now += 10.0
        return self.now


def test_bytes_that_never_make_a_frame_are_a_loss(reader):
    with HttpCamera(STREAM_HEAD + b"--frame\r\n\r\n" + bytes(2_000_000), silent=True) as server:
        camera = reader(server.url, clock=HurriedClock())
        camera.open()
        with pytest.raises(CameraError, match="no frame for 5 s"):
            camera.read()


@pytest.mark.parametrize(
    ("answer", "error", "expected"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", CameraError, "answers 404 Not Found"),
        (b"HTTP/1.1 503 Busy\r\n\r\n", CameraError, "answers 503"),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", CameraError, "user name and password"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", DataError, "text/html"),
        (b"HTTP/1.1 200 OK\r\n\r\n", DataError, "no type"),
        (b"SSH-2.0-server\r\n", CameraError, "does not speak HTTP"),
        (b"", CameraError, "cannot be reached|does not speak"),
    ],
)
def test_answers_that_are_no_stream(reader, answer, error, expected):
    with HttpCamera(answer) as server:
        camera = reader(server.url)
        with pytest.raises(error, match=expected) as caught:
            camera.open()
    assert "\n" not in str(caught.value)
    assert camera.counts().reconnects == 0


def test_nobody_listens(reader):
    with HttpCamera() as server:
        url = server.url
    with pytest.raises(CameraError, match="connection refused"):
        reader(url).open()


def test_credentials_are_sent_and_not_shown(reader):
    with HttpCamera(stream(jpeg(0)), b"HTTP/1.1 403 No\r\n\r\n") as server:
        camera = reader(server.url.replace("http://", "http://me:word@"))
        camera.open()
        with pytest.raises(CameraError) as caught:
            camera.open()
    assert b"Authorization: Basic bWU6d29yZA==\r\n" in server.requests[0]
    assert "word" not in str(caught.value).replace("password", "").replace("user:word@host", "")


@contextmanager
def fully_booked():
    """The address of a camera that takes no more callers, and lets them wait."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # the queue of an accepting socket is a little longer than asked
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


@contextmanager
def silent_after(answer, scheme="http"):
    with HttpCamera(answer, silent=True) as server:
        yield server.url.replace("http", scheme, 1)


SILENCES = {
    "before it takes the call": fully_booked,
    "before its certificate": lambda: silent_after(b"", "https"),
    "before its answer": lambda: silent_after(b""),
    "before a frame": lambda: silent_after(STREAM_HEAD),
    "in a frame": lambda: silent_after(STREAM_HEAD + part(jpeg(0))[:-50]),
    "after a frame": lambda: silent_after(STREAM_HEAD + part(jpeg(0)) + b"--frame"),
}


@pytest.mark.parametrize("silence", SILENCES)
@pytest.mark.parametrize("pace", ["live", "max"])
def test_whoever_waits_for_a_silent_camera_can_be_interrupted(reader, silence, pace):
    said, over = [], threading.Event()

    def watch():
        try:
            camera.open()
            while camera.read() is not None:
                pass
        except CameraError as error:
            said.append(str(error))
        over.set()

    with SILENCES[silence]() as url:
        camera = reader(url, pace=pace, stall_s=60)
        thread = threading.Thread(target=watch)
        thread.start()
        assert not over.wait(0.05), said
        camera.interrupt()
        thread.join(10)
        assert over.is_set()
        assert len(said) == 1
        with pytest.raises(CameraError):
            camera.open()  # it is for good


def test_interrupting_a_camera_that_is_not_open_or_closed_is_no_error(reader):
    with HttpCamera(stream(jpeg(0))) as server:
        camera = reader(server.url)
        camera.open()
        camera.close()
        camera.interrupt()
        reader(server.url).interrupt()
