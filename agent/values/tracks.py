"""Faces followed over time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from agent.values.arrays import F32
from agent.values.times import Monotonic


class TrackState(str, Enum):
    """Where a track is in its life; the transitions are a table in `agent.stages.tracking`."""

    TENTATIVE = "tentative"
    CONFIRMED = "confirmed"
    LOST = "lost"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One person followed through the picture.

    Attributes:
        id: unique for the life of the process, never reused.
        state: see `TrackState`.
        box: (4,) float32, left-top-right-bottom, pixels; predicted while lost.
        landmarks: (5, 2) float32, pixels, of the last detection.
        velocity: (4,) float32, pixels per second: centre x, centre y, width, height.
        score: detector score of the last detection.
        first_seen: monotonic seconds of its first detection.
        last_seen: monotonic seconds of its latest detection.
        hits: detections so far.
    """

    id: int
    state: TrackState
    box: F32
    landmarks: F32
    velocity: F32
    score: float
    first_seen: Monotonic
    last_seen: Monotonic
    hits: int


@dataclass(frozen=True, slots=True)
class TrackUpdate:
    """What one call of the tracker changed.

    Attributes:
        tracks: every live track after the update, ordered by id.
        assigned: for each detection of the frame, in order, the id of the track that took it.
        ended: ids of tracks whose life ended in this update; their buffers must be wiped.
    """

    tracks: tuple[Track, ...]
    assigned: tuple[int, ...]
    ended: tuple[int, ...]
