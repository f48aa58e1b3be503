"""What is really in a frame, one line of JSON each."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class SeenPerson:
    """Somebody whose face is turned to the camera and at least partly in the picture.

    Attributes:
        name: of this appearance in the story.
        who: of the cast.
        entry: on the list; "" for everybody else.
        box: left, top, right, bottom of the whole face, also of what is hidden; pixels.
        landmarks: eyes, nose, corners of the mouth, left of the picture first; pixels.
        visible: share of the face that nobody and no edge hides, 0..1.
        distance_m: camera to face.
        width_px: of the face as if it looked into the camera.
        yaw_deg: turned away by this; flat cut-outs are only drawn narrower.
    """

    name: str
    who: str
    entry: str
    box: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...]
    visible: float
    distance_m: float
    width_px: float
    yaw_deg: float

    def with_visible(self, visible: float) -> SeenPerson:
        return replace(self, visible=visible)


@dataclass(frozen=True, slots=True)
class FrameTruth:
    """One frame.

    Attributes:
        number: from 0.
        at_us: microseconds of the story.
        passing: names of everybody in the street, faces seen or not.
        people: whose faces are in the picture.
    """

    number: int
    at_us: int
    passing: tuple[str, ...]
    people: tuple[SeenPerson, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "frame": self.number,
            "at_us": self.at_us,
            "passing": list(self.passing),
            "people": [asdict(person) for person in self.people],
        }
