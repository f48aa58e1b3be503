"""What is so now."""

from __future__ import annotations

from agent.policy.trusted_time import TimeSigns
from agent.runtime.circumstances import Lookout
from agent.values import Monotonic
from agent.values.place import Fix
from tests.support.clocks import FakeClock


class Receiver:
    """Gives a fix that arrives while it is asked."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def latest(self) -> Fix:
        self._clock.advance(0.5)
        return Fix(1.0, 2.0, 5.0, None, Monotonic(self._clock.now))


def test_a_fix_that_arrives_meanwhile_is_not_from_the_future() -> None:
    clock = FakeClock()
    here = Lookout(clock, TimeSigns, Receiver(clock)).here("L-1")
    assert here.fix is not None
    assert here.now >= here.fix.at
    assert (here.list_id, here.fpir) == ("L-1", "")


def test_what_vouches_for_the_clock_is_asked_once_a_second() -> None:
    clock, asked = FakeClock(), []

    def signs() -> TimeSigns:
        asked.append(clock.now)
        return TimeSigns(kernel=len(asked) == 1)

    lookout = Lookout(clock, signs, None, lambda: "too many")
    assert lookout.here("").signs.kernel
    clock.advance(0.9)
    assert lookout.here("").signs.kernel
    clock.advance(0.2)
    now = lookout.here("")
    assert (now.signs.kernel, now.fix, now.fpir) == (False, None, "too many")
    assert len(asked) == 2
