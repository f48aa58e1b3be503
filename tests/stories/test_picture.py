"""What a camera sends of a story: sizes and rates, at their times."""

from __future__ import annotations

import cv2
import numpy as np

from firmware_sim.player import Encoder
from firmware_sim.story.format import Story
from tests.stories.picture import as_sent

JPEG = Encoder(85)(np.full((72, 128, 3), 90, np.uint8))
SHOTS = [(JPEG, number * 100_000) for number in range(20)]


def sent(*events):
    story = Story.model_validate(
        {
            "title": "t", "seed": 1, "seconds": 2.0, "events": events,
            "expect": {"found_at_least": 0},
        }
    )  # fmt: skip
    return list(as_sent(SHOTS, story))


def test_a_quiet_story_is_sent_as_it_is() -> None:
    assert sent({"at": 1, "do": "disarm"}) == SHOTS


def test_pictures_have_another_size_for_as_long_as_the_event_lasts() -> None:
    event = {"at": 0.5, "do": "resize_camera", "width": 320, "height": 180, "seconds": 0.3}
    shapes = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1).shape[:2] for jpeg, _ in sent(event)]
    assert shapes == [(72, 128)] * 5 + [(180, 320)] * 3 + [(72, 128)] * 12


def test_fewer_pictures_come_for_as_long_as_the_event_lasts() -> None:
    times = [at for _, at in sent({"at": 0.5, "do": "slow_camera", "fps": 2.5, "seconds": 1.0})]
    assert times == [*range(0, 500_000, 100_000), 500_000, 900_000, 1_300_000,
                     *range(1_500_000, 2_000_000, 100_000)]  # fmt: skip
