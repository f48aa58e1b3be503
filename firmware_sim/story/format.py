"""The format of a story: agent/docs/stories.md tells it for people."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from firmware_sim.scene.cast import cast_names, may_be_listed
from firmware_sim.story.events import Event, Seconds, over_s
from firmware_sim.story.part import Part

Metres = Annotated[float, Field(ge=-60, le=60)]
Factor = Annotated[float, Field(gt=0, le=100)]
Degrees = Annotated[float, Field(ge=-180, le=180)]
Place = tuple[Seconds, Metres, Metres]
"""Seconds, metres to the right, metres ahead."""


class Motion(Part):
    """From this time on the wearer moves like this."""

    at: Seconds = Field(description="Story time, s.")
    x: Metres = Field(0, description="To the right of the beginning, m.")
    z: Metres = Field(0, description="Ahead of the beginning, m.")
    yaw: Degrees = Field(0, description="Where the chest points, to the right, degrees.")
    gait: Literal["stand", "walk", "run", "bend"] = "stand"


class Camera(Part):
    width: int = Field(1280, ge=160, le=3840, description="Pixels.")
    height: int = Field(720, ge=120, le=2160, description="Pixels.")
    fps: float = Field(15, ge=1, le=60, description="Frames/s.")
    hfov_deg: float = Field(90, ge=30, le=120, description="Horizontal field of view.")
    lens_bend: float = Field(0.08, ge=0, le=0.2, description="Barrel distortion, 0: none.")
    height_m: float = Field(1.4, ge=0.5, le=3, description="Above the ground.")
    readout_ms: float = Field(20, ge=0, le=60, description="Rolling shutter, first to last row.")
    jpeg_quality: int = Field(85, ge=30, le=100)
    infrared: bool = Field(False, description="Night mode: lamp on the camera, grey picture.")
    motion: tuple[Motion, ...] = Field((Motion(at=0),), min_length=1)


class FlareSpec(Part):
    azimuth: Degrees = Field(description="To the right of the street's end.")
    elevation: float = Field(ge=0, le=90)
    strength: float = Field(0.7, gt=0, le=1)


class Light(Part):
    kind: Literal["day", "overcast", "backlit", "dusk", "night", "dark"] = "day"
    brightness: tuple[tuple[Seconds, Factor], ...] = Field(
        ((0, 1),), min_length=1, description="Points of a factor over time: sun and shade."
    )
    flare: FlareSpec | None = None


class Person(Part):
    who: str = Field(description="Of the cast.")
    name: str = Field("", description="In the truth; empty: who, or who with a number.")
    entry: str = Field("", pattern=r"^[A-Za-z0-9_.:-]{0,64}$", description="On the list, if any.")
    path: tuple[Place, ...] = Field(min_length=1, description="Straight between the points.")
    look: Literal["camera", "ahead"] | tuple[tuple[Seconds, Degrees], ...] = "camera"
    height_m: float = Field(1.75, ge=1.2, le=2.1)
    stand_m: float = Field(0, ge=0, le=10, description="Above the street.")
    outfit: int = Field(0, ge=0, le=1000)


class Crowd(Part):
    """People who are not listed, drawn by lot from the rest of the cast."""

    count: int = Field(ge=1, le=400)
    x: tuple[Metres, Metres] = (-4, 4)
    z: tuple[Metres, Metres] = (3, 20)
    speed_m_s: tuple[float, float] = Field((0.9, 1.5), description="0, 0: they stand.")
    direction: Literal["towards", "away", "both"] = "both"
    look: Literal["camera", "ahead"] = "ahead"
    height_m: tuple[float, float] = Field((1.58, 1.9), description="Of the people.")
    rows: int = Field(0, ge=0, le=20, description="Stand in so many rows, as on steps; 0: by lot.")
    row_rise_m: float = Field(0.4, ge=0, le=1)


class WatchList(Part):
    distractors: int = Field(300, ge=0, le=100_000, description="Templates of nobody.")
    absent: dict[str, str] = Field(
        {}, description="Entries of people of the cast who do not appear."
    )


class Body(Part):
    """The camera's firmware, for the events that stop it."""

    boot_s: float = Field(18, ge=0.5, le=300, description="From a reset to the next picture, s.")
    watchdog_s: float = Field(15, ge=0.5, le=300, description="A firmware that hangs is reset, s.")


class Expect(Part):
    """Bounds of the score; whoever misses one fails the story."""

    found_at_least: int = Field(description="Appearances of listed people with an alert.")
    found_at_most: int | None = Field(None, description="More would mean it looked while disarmed.")
    first_alerts_at_most: int | None = Field(None, description="Without updates: none doubled.")
    missed_at_most: int = Field(0, description="Appearances without.")
    false_alerts_at_most: int = 0
    lost_at_most: int = Field(0, description="Raised by the agent, never received.")
    late_at_most: int = Field(0, description="Received later than `late_s`.")
    late_s: float = Field(5, gt=0, description="Only in stories of pace live.")
    breaches_at_most: int = 0
    time_to_alert_s_at_most: float | None = Field(None, description="Median over those found.")
    distance_m_at_least: float | None = Field(None, description="At the alert; median.")
    tracks_per_person_at_most: float | None = None
    states: tuple[str, ...] = Field((), description="States that the device must have told.")
    recovers_within_s: float | None = Field(
        None,
        gt=0,
        le=600,
        description="So long after the last event is over, the device has told that it is armed "
        "and that nothing is wrong, and tells nothing else to the end. Only in stories of pace "
        "live.",
    )


class Story(Part):
    title: str
    seed: int = Field(ge=0, lt=2**31)
    seconds: float = Field(gt=0, le=600)
    pace: Literal["max", "live"] = Field(
        "max", description="max: lock-step, every frame; live: real time, for faults of the world."
    )
    camera: Camera = Camera()
    light: Light = Light()
    rain: float = Field(0, ge=0, le=1)
    people: tuple[Person, ...] = ()
    crowd: Crowd | None = None
    list: WatchList = WatchList()
    body: Body = Body()
    events: tuple[Event, ...] = ()
    settings: dict[str, str | float | bool] = Field(
        {}, description="Of the agent, as its --set takes them."
    )
    expect: Expect

    @property
    def over_s(self) -> float | None:
        """When the last of its events is over, story time; None: there are none."""
        lasting = self.body.watchdog_s, self.body.boot_s
        ends = [over_s(one, watchdog_s=lasting[0], boot_s=lasting[1]) for one in self.events]
        return max(ends, default=None)

    @model_validator(mode="after")
    def _consistent(self) -> Story:
        problem = _about_people(self) or _about_time(self) or _about_recovery(self)
        if problem:
            raise ValueError(problem)
        return self


def _about_people(story: Story) -> str:
    """What is wrong with the people; empty when nothing is."""
    known = cast_names()
    listed = {(person.who, person.entry) for person in story.people if person.entry}
    listed |= {(who, entry) for entry, who in story.list.absent.items()}
    faces = {who for who, _ in listed}
    for who in [*(person.who for person in story.people), *sorted(faces)]:
        if who not in known:
            return f"nobody is called {who}; the cast is {', '.join(known)}"
        if who in faces and not may_be_listed(who):
            return f"{who} has no photograph for a list"
    if len(faces) != len(listed) or len({entry for _, entry in listed}) != len(listed):
        return "an entry is one person, and a person one entry"
    open_ = next((p.who for p in story.people if not p.entry and p.who in faces), None)
    return f"{open_} is listed: everybody with that face is" if open_ else ""


def _about_time(story: Story) -> str:
    for person in story.people:
        times = [point[0] for point in person.path]
        if times != sorted(times):
            return f"the path of {person.who} goes back in time"
    starts = [motion.at for motion in story.camera.motion]
    if starts != sorted(starts) or starts[0] != 0:
        return "camera.motion begins at 0 and goes on in order of time"
    late = [event.do for event in story.events if event.at > story.seconds]
    return f"{late[0]} would happen after the end" if late else ""


def _about_recovery(story: Story) -> str:
    within_s, over = story.expect.recovers_within_s, story.over_s
    if within_s is None:
        return ""
    if story.pace != "live" or over is None:
        return "recovers_within_s is for stories of pace live in which something happens"
    late_s = over + within_s - story.seconds
    return f"recovers_within_s: the story ends {late_s:g} s before that" if late_s > 0 else ""
