"""Whether the wall clock can be believed.

Whoever sets the clock could reach into tomorrow's schedule or give an authorisation new life. So
one of the sources that the policy names must vouch for it, and while armed it may not be moved
against the monotonic clock, which nobody can set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agent.values import Monotonic, Wall
from agent.values.place import Fix

MAX_STEP_S: Final = 2.0
"""A move of the wall clock against the monotonic one that is not believed, s."""
_OLD_S: Final = 60.0
"""A satellite time older than this vouches for nothing, s."""


@dataclass(frozen=True, slots=True)
class TimeSigns:
    """What speaks for the clock.

    Attributes:
        kernel: it is set by a time server.
        rtc: wall seconds of a hardware clock, read at the same moment; None without one.
    """

    kernel: bool = False
    rtc: Wall | None = None


def why_untrusted(
    sources: tuple[str, ...], signs: TimeSigns, fix: Fix | None, *, wall: Wall, now: Monotonic
) -> str:
    """Why the wall clock is not believed; empty when it is, or when no source is asked for.

    Args:
        sources: of the policy.
        signs: seen now.
        fix: of the receiver of positions.
        wall: the clock in doubt.
        now: monotonic.
    """
    if not sources:
        return ""
    vouched = {
        "ntp": signs.kernel,
        "gps": _agrees(fix, wall=wall, now=now),
        "rtc": signs.rtc is not None and abs(signs.rtc - wall) <= MAX_STEP_S,
    }
    if any(vouched[one] for one in sources):
        return ""
    return f"the time is not trusted: no {' or '.join(sources)} vouches for the clock"


def why_moved(before: tuple[Wall, Monotonic], *, wall: Wall, now: Monotonic) -> str:
    """Why the wall clock was moved since; empty when it was not. Both ways: back gives what is
    over new life, forward reaches what has not begun.
    """
    step = (wall - before[0]) - (now - before[1])
    if abs(step) <= MAX_STEP_S:
        return ""
    return f"the clock was set {'forward' if step > 0 else 'back'} by {abs(step):.0f} s"


def _agrees(fix: Fix | None, *, wall: Wall, now: Monotonic) -> bool:
    if fix is None or fix.time is None or not 0 <= now - fix.at <= _OLD_S:
        return False
    return abs(fix.time + (now - fix.at) - wall) <= MAX_STEP_S
