"""The simulated camera and the agent's own camera, end to end on loopback."""

import http.client
import itertools
import json
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import cv2
import pytest

from agent.adapters.cameras import open_camera
from agent.config import CameraConfig
from agent.errors import CameraError
from agent.values import CaptureCounts
from firmware_sim.body import BodyOptions
from firmware_sim.errors import Exit, SimError
from firmware_sim.run import RunOptions, run_camera
from firmware_sim.story.loading import load_story
from firmware_sim.story.playing import StoryFilm
from firmware_sim.timeline import parse
from tests.support.clocks import FakeClock
from tests.support.footage import picture, shade_of, video
from tests.support.receiver import wait_until

START = 1_700_000_000.25


class Sim:
    def __init__(self, **options):
        self.stop = threading.Event()
        self.ready = threading.Event()
        self.url = ""
        self.error = None
        self._options = RunOptions(**options)
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            run_camera(self._options, stop=self.stop, ready=self._announce)
        except SimError as error:
            self.error = error

    def _announce(self, url, gps_port):
        self.gps_port = gps_port
        self.url = url
        self.ready.set()


@contextmanager
def sim(*paths, **options):
    it = Sim(play=tuple(map(str, paths)), **options)
    it.thread.start()
    assert it.ready.wait(10)
    yield it
    it.stop.set()
    it.thread.join(10)
    assert not it.thread.is_alive()
    assert it.error is None


@contextmanager
def camera(url, pace="max", clock=None):
    it = open_camera(url, CameraConfig(stall_s=10), clock or FakeClock(), pace=pace)
    it.open()
    yield it
    it.close()


def drain(source):
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    return frames


def get(sim_, path):
    connection = http.client.HTTPConnection(urlsplit(sim_.url).netloc, timeout=5)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


@pytest.fixture
def clip(tmp_path):
    return video(tmp_path / "clip.mp4", 15, 25)


def test_every_frame_of_every_file_arrives_with_its_exact_time(tmp_path, clip):
    still = tmp_path / "still.png"
    cv2.imwrite(str(still), picture(17, (32, 24)))
    clock = FakeClock()
    options = {"real_time": False, "wait_client": True, "start_at": START, "loop": 2}
    with sim(clip, still, **options) as it, camera(it.url, clock=clock) as cam:
        frames = drain(cam)
        it.thread.join(10)
        assert not it.thread.is_alive()
    expected = [i * 0.04 for i in range(15)] + [0.6]
    expected += [0.7 + t for t in expected]
    assert [shade_of(f.image) for f in frames] == [*range(15), 17] * 2
    assert [f.captured_at for f in frames] == [round(START + t, 6) for t in expected]
    assert [f.at - clock.now for f in frames] == pytest.approx(expected, abs=1e-6)
    assert [f.seq for f in frames] == list(range(32))
    assert cam.counts() == CaptureCounts(read=32, resized=3)


def test_in_real_time_the_newest_frames_arrive_in_order(clip):
    with sim(clip, wait_client=True, start_at=START, fps=200) as it, camera(it.url, "live") as cam:
        frames = drain(cam)
    stamps = [f.captured_at for f in frames]
    assert stamps == sorted(set(stamps))
    assert set(stamps) <= {round(START + i / 200, 6) for i in range(15)}
    assert stamps[-1] == round(START + 14 / 200, 6)


def test_a_second_viewer_must_wait_in_lockstep_and_may_watch_in_real_time(clip):
    with sim(clip, real_time=False, loop=0) as it, camera(it.url) as cam:
        cam.read()
        with pytest.raises(CameraError, match="503"), camera(it.url):
            pass
    with sim(clip, loop=0) as it, camera(it.url, "live") as one, camera(it.url, "live") as two:
        assert one.read() is not None
        assert two.read() is not None


def test_a_viewer_that_leaves_is_replaced(clip):
    frames = []
    with sim(clip, real_time=False, loop=0, start_at=START) as it:
        with camera(it.url) as cam:
            first = cam.read()
        for _ in range(200):  # until the simulated camera has noticed
            try:
                with camera(it.url) as cam:
                    frames = [cam.read() for _ in range(5)]
                break
            except CameraError:
                it.stop.wait(0.02)
    assert frames[0].captured_at > first.captured_at
    stamps = [f.captured_at for f in frames]
    assert [b - a for a, b in itertools.pairwise(stamps)] == pytest.approx([0.04] * 4, abs=1e-6)


def test_stopped_in_the_middle_is_a_lost_camera(clip):
    with sim(clip, loop=0, fps=100) as it, camera(it.url, "live") as cam:
        cam.read()
        it.stop.set()
        with pytest.raises(CameraError, match="closed the connection"):
            drain(cam)


def test_snapshot_health_and_wrong_paths(clip):
    with sim(clip, wait_client=True, loop=0, fps=100, start_at=START) as it:
        assert json.loads(get(it, "/healthz")[1]) == {"state": "waiting", "frames": 0, "viewers": 0}
        assert get(it, "/snapshot.jpg")[0].status == 503
        assert get(it, "/other")[0].status == 404
        with camera(it.url, "live") as cam:
            cam.read()
            health = json.loads(get(it, "/healthz")[1])
            assert (health["state"], health["viewers"]) == ("playing", 1)
            response, body = get(it, "/snapshot.jpg?now")
    assert response.status == 200
    assert response.headers["X-Timestamp"].startswith("17000000")
    assert body.startswith(b"\xff\xd8")


def test_the_parts_are_as_documented(clip):
    with sim(clip, real_time=False, wait_client=True, start_at=START) as it:
        response, body = get(it, "/stream.mjpg")
    assert response.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
    head, _, rest = body.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[:2] == [b"--frame", b"Content-Type: image/jpeg"]
    size = int(lines[2].removeprefix(b"Content-Length: "))
    assert lines[3:] == [b"X-Timestamp: 1700000000.250000"]
    assert rest[size : size + 11] == b"\r\n--frame\r\n"
    assert body.endswith(b"\r\n--frame--\r\n")


def test_the_port(tmp_path, clip):
    with sim(clip, wait_client=True, port_file=str(tmp_path / "port")) as it:
        port = urlsplit(it.url).port
        assert (tmp_path / "port").read_text() == f"{port}\n"
        other = Sim(play=(str(clip),), port=port)
        other.thread.start()
        other.thread.join(10)
        assert other.error.code == Exit.UNAVAILABLE
        assert f"127.0.0.1:{port}: already in use" in str(other.error)
    lost = Sim(play=(str(clip),), port_file=str(tmp_path / "none" / "port"))
    lost.thread.start()
    lost.thread.join(10)
    assert lost.error.code == Exit.DISK


def at(*texts):
    return tuple(parse(text) for text in texts)


def read_until(source, holds):
    """Frames up to the first that is so."""
    for frame in iter(source.read, None):
        if holds(frame):
            return frame
    raise AssertionError("it never was so")


def test_size_and_rate_change_in_mid_stream(tmp_path):
    path = video(tmp_path / "clip.mp4", 30, fps=30, size=(128, 96))
    options = {"loop": 0, "wait_client": True, "events": at("0.5:size=64x48", "0.5:fps=5")}
    with sim(path, **options) as it, camera(it.url, pace="live") as source:
        before = source.read().size
        read_until(source, lambda frame: frame.size == (64, 48))
        assert before != (64, 48)
        times = [source.read().captured_at for _ in range(6)]
        gaps = [b - a for a, b in itertools.pairwise(times)]
        assert sum(gaps) / len(gaps) == pytest.approx(0.2, rel=0.2)


def test_a_stalled_camera_keeps_the_line_open_and_a_dropped_one_cuts_it(tmp_path):
    path = video(tmp_path / "clip.mp4", 30, fps=30, size=(128, 96))
    events = at("0.6:stall=0.5", "1.6:hang-up")
    with sim(path, loop=0, events=events) as it, camera(it.url, pace="live") as source:
        times = []
        with pytest.raises(CameraError):
            read_until(source, lambda frame: times.append(frame.captured_at))
        assert max(b - a for a, b in itertools.pairwise(times)) >= 0.4
        assert max(times) - min(times) > 0.9


def test_a_camera_that_is_off_answers_nobody_until_it_has_booted(tmp_path):
    path = video(tmp_path / "clip.mp4", 30, fps=30, size=(128, 96))
    body = BodyOptions(gps_port=0, sysfs=tmp_path / "sys")
    with sim(path, loop=0, body=body, events=at("0.4:off", "0.8:on")) as it:
        assert get(it, "/healthz")[0].status == 200
        assert it.gps_port
        assert (tmp_path / "sys/class/power_supply/battery/capacity").read_text() == "100\n"
        wait_until(lambda: state(it) == "off", "it is off")
        assert get(it, "/stream.mjpg")[0].status == 503
        assert get(it, "/snapshot.jpg")[0].status == 503


def state(it):
    return json.loads(get(it, "/healthz")[1])["state"]


def test_several_viewers_a_slow_one_holds_nobody_back(tmp_path):
    path = video(tmp_path / "clip.mp4", 30, fps=30, size=(128, 96))
    with sim(path, loop=0) as it:
        slow = http.client.HTTPConnection(urlsplit(it.url).netloc, timeout=5)
        slow.request("GET", "/stream.mjpg")
        unread = slow.getresponse()
        with camera(it.url, pace="live") as one, camera(it.url, pace="live") as two:
            for _ in range(20):
                assert one.read().size == two.read().size
            viewers = json.loads(get(it, "/healthz")[1])["viewers"]
        unread.close()
        slow.close()
        assert viewers == 3


def test_a_story_is_drawn_and_its_truth_told(footage, tmp_path):
    story = tmp_path / "short.yaml"
    story.write_text(
        "title: t\nseed: 1\nseconds: 0.5\ncamera: {width: 320, height: 180, fps: 10}\n"
        "people: [{who: p01, entry: E-1, path: [[0, 0, 2]]}]\n"
        "events: [{at: 0.2, do: battery, percent: 40}]\nexpect: {found_at_least: 1}\n"
    )
    name, told = load_story(str(story))
    film = StoryFilm(name, told, footage, tmp_path / "truth.jsonl")
    assert [event.what.percent for event in film.events()] == [40]
    options = {"real_time": False, "wait_client": True, "start_at": START}
    with sim(film=film, **options) as it, camera(it.url) as cam:
        frames = drain(cam)
        it.thread.join(10)
    assert [frame.image.shape for frame in frames] == [(180, 320, 3)] * 5
    head, *lines = map(json.loads, film.truth.read_text().splitlines())
    assert head["start_at"] == START
    assert [line["people"][0]["name"] for line in lines] == ["p01"] * 5


def test_a_tree_that_cannot_be_written_any_more_ends_the_camera(tmp_path):
    path = video(tmp_path / "clip.mp4", 30, fps=30)
    it = Sim(play=(str(path),), loop=0, body=BodyOptions(sysfs=tmp_path / "sys"))
    it.thread.start()
    assert it.ready.wait(10)
    battery = tmp_path / "sys/class/power_supply/battery"
    battery.rename(tmp_path / "gone")
    battery.write_text("a file in its place")
    it.thread.join(10)
    assert not it.thread.is_alive()
    assert it.error.code == Exit.DISK
