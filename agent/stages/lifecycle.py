"""The life of a track, as a table. Life is counted in seconds and detections, never in frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

from agent.config import TrackingConfig
from agent.values import F32, Monotonic, TrackState


class Event(Enum):
    """What one look at the picture means for a track."""

    SEEN = "seen"  # detected, too few detections so far to believe in it
    PROVEN = "proven"  # detected, often enough
    MISSED = "missed"  # looked for and not found
    OVERDUE = "overdue"  # not found, or not proven, for too long


_S, _E = TrackState, Event
TRANSITIONS: Mapping[tuple[TrackState, Event], TrackState] = MappingProxyType(
    {
        (_S.TENTATIVE, _E.SEEN): _S.TENTATIVE,
        (_S.TENTATIVE, _E.PROVEN): _S.CONFIRMED,
        (_S.TENTATIVE, _E.MISSED): _S.TENTATIVE,
        (_S.TENTATIVE, _E.OVERDUE): _S.ENDED,
        (_S.CONFIRMED, _E.SEEN): _S.CONFIRMED,
        (_S.CONFIRMED, _E.PROVEN): _S.CONFIRMED,
        (_S.CONFIRMED, _E.MISSED): _S.LOST,
        (_S.CONFIRMED, _E.OVERDUE): _S.ENDED,
        (_S.LOST, _E.SEEN): _S.CONFIRMED,
        (_S.LOST, _E.PROVEN): _S.CONFIRMED,
        (_S.LOST, _E.MISSED): _S.LOST,
        (_S.LOST, _E.OVERDUE): _S.ENDED,
        (_S.ENDED, _E.SEEN): _S.ENDED,
        (_S.ENDED, _E.PROVEN): _S.ENDED,
        (_S.ENDED, _E.MISSED): _S.ENDED,
        (_S.ENDED, _E.OVERDUE): _S.ENDED,
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Life:
    """What is known of a track besides where it is.

    Attributes:
        id: never reused.
        state: see `TRANSITIONS`.
        first_seen, last_seen: monotonic seconds of its first and latest detection.
        hits: detections so far.
        score: of the latest detection.
        landmarks: (5, 2) float32 of the latest detection, pixels.
    """

    id: int
    state: TrackState
    first_seen: Monotonic
    last_seen: Monotonic
    hits: int
    score: float
    landmarks: F32


def born(
    track_id: int, now: Monotonic, score: float, landmarks: F32, rules: TrackingConfig
) -> Life:
    """A track at its first detection; confirmed at once where one detection is enough."""
    state = TrackState.CONFIRMED if rules.confirm_hits <= 1 else TrackState.TENTATIVE
    return Life(track_id, state, now, now, 1, score, landmarks)


def seen(life: Life, now: Monotonic, score: float, landmarks: F32, rules: TrackingConfig) -> Life:
    """The track after a detection."""
    hits = life.hits + 1
    event = Event.PROVEN if hits >= rules.confirm_hits else Event.SEEN
    state = TRANSITIONS[life.state, event]
    return Life(life.id, state, life.first_seen, now, hits, score, landmarks)


def missed(life: Life, now: Monotonic, rules: TrackingConfig) -> Life:
    """The track after a look at the picture that did not find it."""
    event = Event.OVERDUE if _overdue(life, now, rules) else Event.MISSED
    state = TRANSITIONS[life.state, event]
    return life if state is life.state else replace(life, state=state)


def out_of_sight(life: Life, now: Monotonic, rules: TrackingConfig) -> bool:
    """Whether the time since the latest detection alone ends the track, look or no look."""
    limit = rules.confirm_s if life.state is TrackState.TENTATIVE else rules.lost_s
    return now - life.last_seen >= limit


def _overdue(life: Life, now: Monotonic, rules: TrackingConfig) -> bool:
    unproven = life.state is TrackState.TENTATIVE and now - life.first_seen >= rules.confirm_s
    return unproven or out_of_sight(life, now, rules)
