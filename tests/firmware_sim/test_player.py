import cv2
import numpy as np
import pytest

from firmware_sim.footage import Shot
from firmware_sim.player import LATE_US, Encoder, StreamPart, play_all, play_live
from tests.support.footage import picture

START = 1_700_000_000_000_000


class World:
    """A clock, a way to sleep on it, and an encoder that takes its time."""

    def __init__(self, encoding_us=0):
        self.now = 77
        self.slept = []
        self.encoding_us = encoding_us

    def sleep(self, wait):
        self.slept.append(wait)
        self.now += wait

    def encode(self, image):
        self.now += self.encoding_us
        return bytes([image[0, 0, 0]])

    def play(self, footage):
        return play_live(
            footage, self.encode, start_us=START, now_us=lambda: self.now, sleep_us=self.sleep
        )


def footage(n, every_us):
    return [Shot(picture(i), i * every_us) for i in range(n)]


def test_the_stamp_has_six_digits():
    assert StreamPart(b"", 1_700_000_000_000_042).timestamp == "1700000000.000042"
    assert StreamPart(b"", 5).timestamp == "0.000005"


def test_all_of_it_with_the_times_of_the_footage():
    parts = list(play_all(footage(3, 40_000), World().encode, start_us=START))
    assert [p.captured_us - START for p in parts] == [0, 40_000, 80_000]


def test_in_real_time_each_waits_for_its_moment():
    world = World(encoding_us=10_000)
    shown = [(part.captured_us - START, world.now - 77) for part in world.play(footage(4, 50_000))]
    assert shown == [(0, 10_000), (50_000, 50_000), (100_000, 100_000), (150_000, 150_000)]
    assert world.slept == [30_000, 40_000, 40_000]


def test_a_machine_that_cannot_keep_up_leaves_frames_out():
    world = World(encoding_us=200_000)
    lateness = [world.now - 77 - (p.captured_us - START) for p in world.play(footage(60, 50_000))]
    assert len(lateness) < 30
    assert max(lateness) <= LATE_US + 200_000
    assert world.slept == []


@pytest.mark.parametrize(
    ("encoder", "size"),
    [
        (Encoder(), (64, 48)),
        (Encoder(width=32), (32, 24)),
        (Encoder(height=96), (128, 96)),
        (Encoder(width=20, height=30), (20, 30)),
    ],
)
def test_sizes(encoder, size):
    image = cv2.imdecode(np.frombuffer(encoder(picture(4)), np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (size[1], size[0], 3)
    assert abs(float(image.mean()) - 60) < 2


def test_quality_costs_bytes():
    noise = np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8)
    assert len(Encoder(quality=95)(noise)) > 2 * len(Encoder(quality=20)(noise))
