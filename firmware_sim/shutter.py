"""What of the footage becomes a picture of the stream: size, rate, and whether any comes at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from firmware_sim.feed import Feed
from firmware_sim.player import Encoder, StreamPart
from firmware_sim.timeline import CameraCommand, HangUp, Rate, Resize

_US = 1_000_000
Video = Literal["on", "stalled", "off"]


class Shutter:
    """Between the player and the feed. `apply` may be called from any thread.

    Args:
        feed: shows the pictures.
        encoder: size and quality at the start.
        video: whether the camera gives pictures now.
    """

    def __init__(self, feed: Feed, encoder: Encoder, video: Callable[[], Video]) -> None:
        self._feed = feed
        self._encoder = encoder
        self._video = video
        self._every_us = 0
        self._due_us = 0
        self._was_off = False

    def apply(self, command: CameraCommand) -> None:
        """From the next picture on."""
        if isinstance(command, Resize):
            self._encoder = replace(self._encoder, width=command.width, height=command.height)
        elif isinstance(command, Rate):
            self._every_us = round(_US / command.fps)
        elif isinstance(command, HangUp):
            self._feed.hang_up()

    def encode(self, image: npt.NDArray[np.uint8]) -> bytes:
        return self._encoder(image)

    def watch(self) -> None:
        """Hang up when the camera has gone off, answer again when it is back."""
        off = self._video() == "off"
        if off != self._was_off:
            self._was_off = off
            self._feed.switch(on=not off)

    def show(self, part: StreamPart) -> bool:
        """Show a part, unless it is one too many or none may come; False when stopped."""
        self.watch()
        if self._video() != "on" or part.captured_us < self._due_us:
            return True
        if self._every_us:
            following = self._due_us + self._every_us
            late = following <= part.captured_us
            self._due_us = part.captured_us + self._every_us if late else following
        return self._feed.publish(part)
