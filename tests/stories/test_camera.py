"""The camera of a story: order, actions and gaps, without an agent."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.stories.camera import Action, Gap, StoryCamera
from tests.support.receiver import wait_until

SHOTS = [(b"shot %d" % number, number * 100_000) for number in range(10)]


def watch(camera: StoryCamera) -> bytes:
    """Everything that one viewer gets until it is hung up on or the stream ends."""
    connection = http.client.HTTPConnection("127.0.0.1", camera.port, timeout=10)
    connection.request("GET", "/stream.mjpg")
    return connection.getresponse().read()


@contextmanager
def camera(
    actions: list[Action] | None = None, gaps: list[Gap] | None = None
) -> Iterator[StoryCamera]:
    made = StoryCamera(SHOTS, live=False, actions=actions or [], gaps=gaps or [])
    made.start()
    try:
        yield made
    finally:
        made.close()


def test_every_shot_comes_at_its_time() -> None:
    with camera() as lens:
        stream = watch(lens)
        assert [b"shot %d" % n in stream for n in range(10)] == [True] * 10
        assert stream.count(b"X-Timestamp") == lens.shown == 10
        stamps = [float(text) for text in re.findall(rb"X-Timestamp: ([0-9.]+)", stream)]
        expected = [lens.start_at + number / 10 for number in range(10)]
        assert stamps == pytest.approx(expected, abs=1e-5, rel=0)


def test_an_action_happens_before_the_shot_of_its_time() -> None:
    done: list[int] = []
    with camera([Action(450_000, "look", lambda: done.append(lens.shown))]) as lens:
        watch(lens)
    assert done == [5]


def test_a_silent_camera_leaves_shots_out() -> None:
    with camera(gaps=[Gap(200_000, 500_000, hang_up=False)]) as lens:
        stream = watch(lens)
    assert [n for n in range(10) if b"shot %d" % n in stream] == [0, 1, 5, 6, 7, 8, 9]


def test_one_that_is_switched_off_hangs_up_and_takes_viewers_again() -> None:
    with camera(gaps=[Gap(200_000, 500_000, hang_up=True)]) as lens:
        first = watch(lens)
        second = watch(lens)
    assert b"shot 1" in first
    assert b"shot 9" not in first
    assert not first.endswith(b"--frame--\r\n")
    assert b"shot 9" in second
    assert second.endswith(b"--frame--\r\n")


def test_a_failing_action_is_told_and_ends_the_story() -> None:
    def fail() -> None:
        raise RuntimeError("no light")

    with camera([Action(0, "fail", fail)]) as lens:
        threading.Thread(target=watch, args=(lens,), daemon=True).start()
        wait_until(lambda: lens.error is not None, "the failure is told")
        assert "no light" in repr(lens.error)
