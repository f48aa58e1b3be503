"""When a frame was taken, on the agent's own clock.

A camera stamps its frames with a clock that is not ours: it may be set wrong, step when it meets
a time server, or run at another speed. The first frame is anchored at the agent's `now`; later
ones are placed by the difference of their stamps, so that the intervals are the camera's, free of
network jitter. Where the stamps stop making sense the anchor is set anew. Whatever the stamps say,
`at` always increases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from agent.values import Monotonic, Wall

MIN_STEP_S = 1e-4
"""Least distance of two frames, s; given to stamps that are equal or go back."""


@dataclass(frozen=True, slots=True)
class TimelineLimits:
    """What stamps may do before they are no longer believed. All in seconds.

    Attributes:
        max_gap_s: a stamp may be this much further on than the last one *and* than the time that
            passed here meanwhile; more is a step of the camera's clock.
        max_lead_s: a frame cannot be taken later than it is received; this much is forgiven to a
            clock that drifts.
        max_lag_s: a live frame older than this is a clock that runs slow, not a slow network.
    """

    max_gap_s: float = 10.0
    max_lead_s: float = 1.0
    max_lag_s: float = 30.0


LIVE = TimelineLimits()
"""A camera watched as it happens."""
REPLAYED = TimelineLimits(max_lead_s=math.inf, max_lag_s=math.inf)
"""A stream read faster or slower than it happened (`--pace max`)."""
RECORDED = TimelineLimits(math.inf, math.inf, math.inf)
"""A file: its presentation times are the truth, whatever the gaps."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Where the last frame was put.

    Attributes:
        at: monotonic seconds given to it.
        captured: its stamp.
        received: the agent's `now` when it came.
        anchor_at, anchor_captured: the pair from which stamps are measured.
        anchored: times that an anchor was set; 1 as long as the stamps are sane.
    """

    at: Monotonic
    captured: Wall
    received: Monotonic
    anchor_at: Monotonic
    anchor_captured: Wall
    anchored: int = 1


def place(
    last: Timeline | None,
    captured: Wall,
    *,
    limits: TimelineLimits = LIVE,
    now: Monotonic,
) -> Timeline:
    """Put a frame on the agent's clock.

    Args:
        last: the frame before it; None for the first one.
        captured: its stamp, wall-clock seconds, finite.
        limits: how much to believe it.
        now: monotonic seconds, when it was received; never less than at the last call.
    """
    if last is None:
        return Timeline(now, captured, now, now, captured)
    at = last.anchor_at + (captured - last.anchor_captured)
    if _believed(last, captured, at, limits, now):
        at = max(at, last.at + MIN_STEP_S)
        return Timeline(
            Monotonic(at), captured, now, last.anchor_at, last.anchor_captured, last.anchored
        )
    again = Monotonic(max(now, last.at + MIN_STEP_S))
    return Timeline(again, captured, now, again, captured, last.anchored + 1)


def _believed(
    last: Timeline, captured: Wall, at: float, limits: TimelineLimits, now: Monotonic
) -> bool:
    step = captured - last.captured
    passed_here = now - last.received
    return (
        0.0 <= step <= max(passed_here, 0.0) + limits.max_gap_s
        and at - now <= limits.max_lead_s
        and now - at <= limits.max_lag_s
    )
