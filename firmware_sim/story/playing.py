"""A story as what a camera shows, in real time or as fast as it is taken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from firmware_sim.device import Ambient, Charge, Heated, ShiftClock, Stall
from firmware_sim.footage import Shot
from firmware_sim.render import truth_head, write_lines
from firmware_sim.scene.scene import Scene
from firmware_sim.story.format import Event as StoryEvent
from firmware_sim.story.format import Story
from firmware_sim.story.staging import stage
from firmware_sim.timeline import Event, HangUp, Happening


@dataclass(frozen=True, slots=True)
class StoryFilm:
    """What is shown of a story, and the truth about it.

    Attributes:
        name, story: which.
        footage: folder with the files of the asset lock.
        truth: where the truth goes once all is shown, with `start_at` in its head; None: nowhere.
    """

    name: str
    story: Story
    footage: Path
    truth: Path | None

    def shots(self, start_at: float) -> Iterator[Shot]:
        """Every frame; `start_at` is the capture time of the first, seconds since 1970.

        Raises:
            SimError: the footage is not there, or the truth cannot be written.
        """
        setup = stage(self.story)
        scene = Scene(setup, self.footage)
        head = truth_head(self.name, self.story, setup) | {"start_at": start_at}
        lines = [json.dumps(head)]
        for number in range(setup.frames):
            image, truth = scene.frame(number)
            lines.append(json.dumps(truth.as_json()))
            yield Shot(image, truth.at_us)
        if self.truth is not None:
            write_lines(self.truth, lines)

    def events(self) -> tuple[Event, ...]:
        """What happens to the camera itself. List, link and agent are others' affairs."""
        return tuple(
            Event(event.at, what) for event in self.story.events for what in _happenings(event)
        )


def _happenings(event: StoryEvent) -> tuple[Happening, ...]:
    if event.do == "battery":
        return (Charge(event.percent),)
    if event.do == "heat":
        return (Ambient(event.celsius), Heated(event.celsius))
    if event.do == "stall_camera":
        return (Stall(event.seconds),)
    if event.do == "drop_camera":
        return (HangUp(), Stall(event.seconds))
    if event.do == "shift_clock":
        return (ShiftClock(event.by_s),)
    return ()
