"""Which faces of this frame are worth the embedder's time.

A track's time is cut into slots of 1 / rate seconds. In the second half of a slot its best crop
is kept aside (a better one replaces a worse), and at the end of the slot that one is embedded.
The first slot has no first half, so that somebody new is looked at soon. Two caps hold the
work for one frame down, however many people are in it; who needs it most comes first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.config import RecognitionConfig
from agent.values import Monotonic

SPACING_S = 0.1
"""Two crops closer in time than this show the same picture of a person, not two shots."""

GOOD_ENOUGH = 0.9
"""A crop of this quality is not worth replacing: no other is looked at before it is embedded."""

NEVER = Monotonic(float("-inf"))
_JITTER_S = 0.002


@dataclass(frozen=True, slots=True)
class ShotSettings:
    """What the choice of shots goes by.

    Attributes:
        rates: shots per second, least quality and least face width.
        max_crops: faces cut out of one frame, at most.
        max_batch: faces embedded in one frame, at most.
    """

    rates: RecognitionConfig
    max_crops: int = 12
    max_batch: int = 8


@dataclass(frozen=True, slots=True)
class Need:
    """One track's claim to a shot.

    Attributes:
        track: its id.
        settled: decided, or its template full of better shots: the lower rate is enough.
        shots: distinct shots it has.
        last_embedded: monotonic seconds of the frame in which it was last embedded; or `NEVER`.
        last_cropped: monotonic seconds at which its face was last cut out; or `NEVER`.
        quality: of the crop kept aside, 0..1; 0 without one.
    """

    track: int
    settled: bool = False
    shots: int = 0
    last_embedded: Monotonic = NEVER
    last_cropped: Monotonic = NEVER
    quality: float = 0.0


def slot_s(need: Need, rates: RecognitionConfig) -> float:
    """Length of the track's slot in seconds; infinite where it gets no more shots."""
    rate = rates.decided_shots_per_s if need.settled else rates.shots_per_s
    return max(1 / rate, SPACING_S) if rate > 0 else float("inf")


def to_crop(needs: Iterable[Need], settings: ShotSettings, *, now: Monotonic) -> tuple[int, ...]:
    """Tracks whose face is to be cut out of the frame taken at `now`.

    Undecided before settled, then in turn: faces that are never good enough must not keep the
    others from being looked at.
    """
    rates = settings.rates
    open_ = [
        need
        for need in needs
        if need.quality < GOOD_ENOUGH
        and now - need.last_cropped >= SPACING_S - _JITTER_S
        and now - need.last_embedded >= slot_s(need, rates) / 2 - _JITTER_S
    ]
    ranked = sorted(open_, key=lambda need: (need.settled, need.last_cropped, need.track))
    return tuple(need.track for need in ranked[: settings.max_crops])


def to_embed(needs: Iterable[Need], settings: ShotSettings, *, now: Monotonic) -> tuple[int, ...]:
    """Tracks whose kept crop is to be embedded now.

    Undecided before settled, then fewest shots, longest waiting, best crop.
    """
    rates = settings.rates
    due = [
        need
        for need in needs
        if need.quality > 0
        and need.quality >= rates.min_quality
        and now - need.last_embedded >= slot_s(need, rates) - _JITTER_S
    ]
    ranked = sorted(due, key=lambda n: (n.settled, n.shots, n.last_embedded, -n.quality, n.track))
    return tuple(need.track for need in ranked[: settings.max_batch])
