"""A story as what a camera shows, in real time or as fast as it is taken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from firmware_sim.device import Ambient, Charge, Hang, Heated, Profile, Reset, ShiftClock, Stall
from firmware_sim.footage import Shot
from firmware_sim.gps import Drift, Sky, Spoof
from firmware_sim.render import truth_head, write_lines
from firmware_sim.scene.scene import Scene
from firmware_sim.story.events import Event as StoryEvent
from firmware_sim.story.format import Camera, Story
from firmware_sim.story.staging import stage
from firmware_sim.timeline import Event, HangUp, Happening, Rate, Resize

_SATELLITES = 9


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
    _made: list[Scene] = field(default_factory=list, init=False, repr=False, compare=False)

    def prepare(self) -> Scene:
        """Paint the street and cut out the people, before anybody is told of a camera: a viewer
        does not wait as long as that takes on a busy machine.

        Raises:
            SimError: the footage is not there, or not what it was.
        """
        if not self._made:
            self._made.append(Scene(stage(self.story), self.footage))
        return self._made[0]

    def shots(self, start_at: float) -> Iterator[Shot]:
        """Every frame; `start_at` is the capture time of the first, seconds since 1970.

        Raises:
            SimError: the footage is not there, or the truth cannot be written.
        """
        scene = self.prepare()
        head = truth_head(self.name, self.story, scene.setup) | {"start_at": start_at}
        lines = [json.dumps(head)]
        for number in range(scene.setup.frames):
            image, truth = scene.frame(number)
            lines.append(json.dumps(truth.as_json()))
            yield Shot(image, truth.at_us)
        if self.truth is not None:
            write_lines(self.truth, lines)

    def profile(self) -> Profile:
        """The camera's hardware: the usual one, with the story's firmware."""
        body = self.story.body
        return Profile(boot_s=body.boot_s, watchdog_s=body.watchdog_s)

    def events(self) -> tuple[Event, ...]:
        """What happens to the camera itself. List, link, disk and agent are others' affairs."""
        return tuple(
            Event(at_s, what)
            for event in self.story.events
            for at_s, what in _happenings(event, self.story.camera)
        )


Timed = tuple[float, Happening]


def _happenings(event: StoryEvent, camera: Camera) -> Iterator[Timed]:
    begin = [(event.at, what) for what in _beginning(event)]
    end = [(event.at + event.seconds, what) for what in _ending(event, camera)]
    return iter((*begin, *end))


def _beginning(event: StoryEvent) -> tuple[Happening, ...]:
    made: dict[str, tuple[Happening, ...]] = {
        "battery": (Charge(event.percent),),
        "heat": (Ambient(event.celsius), Heated(event.celsius)),
        "stall_camera": (Stall(event.seconds),),
        "drop_camera": (HangUp(), Stall(event.seconds)),
        "hang_camera": (Hang(),),
        "reset_camera": (Reset(),),
        "resize_camera": (Resize(event.width, event.height),),
        "slow_camera": (Rate(event.fps),),
        "lose_gps": (Sky(0),),
        "drift_gps": (Drift(event.north_m_s, 0.0),),
        "spoof_gps": (Spoof(event.north_m, 0.0),),
        "shift_clock": (ShiftClock(event.by_s),),
    }
    return made.get(event.do, ())


def _ending(event: StoryEvent, camera: Camera) -> tuple[Happening, ...]:
    made: dict[str, tuple[Happening, ...]] = {
        "resize_camera": (Resize(camera.width, camera.height),),
        "slow_camera": (Rate(camera.fps),),
        "lose_gps": (Sky(_SATELLITES),),
        "drift_gps": (Drift(0.0, 0.0),),
        "spoof_gps": (Spoof(0.0, 0.0),),
    }
    return made.get(event.do, ())
