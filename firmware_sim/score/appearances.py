"""From the truth about frames to appearances: a listed person comes, is seen, and goes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

VISIBLE = 0.5
"""A face hidden by more than this is not there to be found."""
TURNED_DEG = 60.0
REACH_PX = 32.0
"""Narrower faces are not expected to be recognised: time to alert counts from here."""
GAP_US = 2_000_000
LEAST_US = 500_000


@dataclass(frozen=True, slots=True)
class Sight:
    """The face in one frame.

    Attributes:
        at_us: story time.
        distance_m: from the camera.
        width_px: of the face.
    """

    at_us: int
    distance_m: float
    width_px: float


@dataclass(frozen=True, slots=True)
class Appearance:
    """A stretch in which a listed person's face is in the picture.

    Attributes:
        entry, who, name: on the list, of the cast, in the story.
        sights: in order of time; never empty.
    """

    entry: str
    who: str
    name: str
    sights: tuple[Sight, ...]

    @property
    def begin_us(self) -> int:
        return self.sights[0].at_us

    @property
    def end_us(self) -> int:
        return self.sights[-1].at_us

    @property
    def closest_m(self) -> float:
        return min(sight.distance_m for sight in self.sights)

    @property
    def farthest_m(self) -> float:
        return max(sight.distance_m for sight in self.sights)

    @property
    def narrowest_px(self) -> float:
        return min(sight.width_px for sight in self.sights)

    @property
    def widest_px(self) -> float:
        return max(sight.width_px for sight in self.sights)

    @property
    def reach_us(self) -> int | None:
        """When the face was first wide enough; None: never."""
        return next((s.at_us for s in self.sights if s.width_px >= REACH_PX), None)

    def sight(self, at_us: int) -> Sight:
        """The one at a time, or the next, or the last."""
        index = bisect_left([sight.at_us for sight in self.sights], at_us)
        return self.sights[min(index, len(self.sights) - 1)]

    def frames_between(self, first_us: int, last_us: int) -> int:
        return sum(first_us <= sight.at_us <= last_us for sight in self.sights)


def appearances(frames: Iterable[Mapping[str, Any]]) -> list[Appearance]:
    """Every appearance of a listed person, in order of time.

    Args:
        frames: lines of a truth file after its head.
    """
    open_: dict[str, tuple[str, str, list[Sight]]] = {}
    done: list[Appearance] = []
    for frame in frames:
        for person in frame["people"]:
            if not person["entry"] or not _there(person):
                continue
            sight = Sight(frame["at_us"], person["distance_m"], person["width_px"])
            name = person["name"]
            if name in open_ and sight.at_us - open_[name][2][-1].at_us > GAP_US:
                done += _closed(name, open_.pop(name))
            open_.setdefault(name, (person["entry"], person["who"], []))[2].append(sight)
    for name, found in open_.items():
        done += _closed(name, found)
    return sorted(done, key=lambda one: (one.begin_us, one.name))


def _there(person: Mapping[str, Any]) -> bool:
    return bool(person["visible"] >= VISIBLE and abs(person["yaw_deg"]) <= TURNED_DEG)


def _closed(name: str, found: tuple[str, str, list[Sight]]) -> list[Appearance]:
    entry, who, sights = found
    if sights[-1].at_us - sights[0].at_us < LEAST_US:
        return []
    return [Appearance(entry, who, name, tuple(sights))]
