"""What of a story's pictures its camera sends: another size, fewer of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from firmware_sim.player import Encoder
from firmware_sim.story.events import Event
from firmware_sim.story.format import Story
from tests.stories.camera import Gap, Shot


def as_sent(shots: Iterable[Shot], story: Story) -> Iterator[Shot]:
    """The shots as they leave the camera, by `resize_camera` and `slow_camera`."""
    due_us = 0
    for jpeg, at_us in shots:
        slow = _now(story, "slow_camera", at_us)
        if slow is not None:
            if at_us < due_us:
                continue
            due_us = at_us + round(1e6 / slow.fps)
        other = _now(story, "resize_camera", at_us)
        yield (jpeg if other is None else _resized(jpeg, other, story.camera.jpeg_quality)), at_us


def gaps(story: Story) -> list[Gap]:
    """When none leave it, by `stall_camera` and `drop_camera`."""
    return [
        Gap(
            round(event.at * 1e6),
            round((event.at + event.seconds) * 1e6),
            hang_up=event.do == "drop_camera",
        )
        for event in story.events
        if event.do in ("stall_camera", "drop_camera")
    ]


def _now(story: Story, do: str, at_us: int) -> Event | None:
    """The event of this kind that lasts at this time."""
    here = (e for e in story.events if e.do == do and 0 <= at_us - e.at * 1e6 < e.seconds * 1e6)
    return next(here, None)


def _resized(jpeg: bytes, event: Event, quality: int) -> bytes:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return Encoder(quality, event.width, event.height)(np.asarray(image, np.uint8))
