from __future__ import annotations

import pytest

from agent.runtime.heartbeats import Heartbeats
from tests.support.clocks import FakeClock


def test_only_the_silent_stage_is_late() -> None:
    clock = FakeClock()
    beats = Heartbeats(clock, {"capture": 5.0, "pipeline": 2.0})
    beats.beat("capture")
    beats.beat("pipeline")
    clock.advance(2.0)
    assert beats.late() == ()
    clock.advance(0.1)
    assert beats.late() == ("pipeline",)
    beats.beat("pipeline")
    clock.advance(3.0)
    assert beats.late() == ("capture", "pipeline")


def test_a_stage_that_has_not_begun_or_is_done_is_not_late() -> None:
    clock = FakeClock()
    beats = Heartbeats(clock, {"capture": 1.0, "pipeline": 1.0})
    beats.beat("capture")
    beats.done("capture")
    clock.advance(100)
    assert beats.late() == ()


def test_an_unknown_stage_is_a_bug() -> None:
    with pytest.raises(ValueError, match="unknown stage"):
        Heartbeats(FakeClock(), {}).beat("capture")
