"""The thread that listens to the receiver of positions."""

from __future__ import annotations

from typing import Any

from agent.errors import UnavailableError
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.places_loop import STAGE, PlacesLoop
from tests.support.clocks import FakeClock
from tests.support.logs import KeptLog


class FakeReceiver:
    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.there, self.speaks = True, True
        self.connects = self.receives = 0
        self.closed = False

    def connect(self) -> None:
        self.connects += 1
        self._check()

    def receive(self) -> bool:
        self.receives += 1
        self.clock.advance(0.5)
        self._check()
        if not self.speaks:
            raise UnavailableError("gpsd has said nothing for 10 s")
        return self.receives % 2 == 0

    def close(self) -> None:
        self.closed = True

    def status(self) -> dict[str, Any]:
        return {"receiver": "fix"}

    def _check(self) -> None:
        if not self.there:
            raise UnavailableError("gpsd went away")


class World:
    def __init__(self) -> None:
        self.clock, self.log = FakeClock(), KeptLog()
        self.receiver = FakeReceiver(self.clock)
        self.beats = Heartbeats(self.clock, {STAGE: 5.0})
        self.loop = PlacesLoop(
            self.receiver, clock=self.clock, heartbeats=self.beats, log=self.log,
            pause=self.clock.advance,
        )  # fmt: skip

    def pass_time(self, seconds: float) -> None:
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.loop.turn()
            assert self.beats.late() == ()


def test_it_listens_while_the_receiver_is_there() -> None:
    world = World()
    for _ in range(4):
        world.loop.turn()
    assert (world.receiver.connects, world.receiver.receives) == (1, 3)


def test_a_lost_one_is_tried_again_more_and_more_seldom_and_told_once() -> None:
    world = World()
    world.receiver.there = False
    world.pass_time(31)
    assert world.receiver.connects == 5  # at 0, 1, 3, 7, 15 s
    world.pass_time(600)
    assert world.receiver.connects in range(23, 27)  # every 30 s
    assert world.log.messages("warning") == ["no positions, will try again"]
    world.receiver.there = True
    world.pass_time(31)
    world.pass_time(2)
    assert world.receiver.receives > 0
    assert len(world.log.messages("info")) == 1


def test_one_that_takes_the_call_and_says_nothing_is_not_there_again() -> None:
    world = World()
    world.receiver.speaks = False
    world.pass_time(600)
    assert world.receiver.connects in range(22, 27)
    assert world.log.messages("warning") == ["no positions, will try again"]
    assert world.log.messages("info") == []
    world.receiver.there = False
    world.pass_time(40)
    world.receiver.there = True
    world.pass_time(40)
    assert len(world.log.messages("warning")) == 2, "one line for each reason"
    world.receiver.speaks = True
    world.pass_time(40)
    assert world.log.messages("info") == ["the receiver of positions is there again"]
    world.receiver.there = False
    world.pass_time(1)
    assert len(world.log.messages("warning")) == 3, "the next outage is told again"


def test_when_stopped_it_lets_go() -> None:
    world = World()
    world.loop.stop()
    world.loop.run()
    assert world.receiver.closed
    assert world.loop.status() == {"receiver": "fix"}


def test_whoever_waits_for_the_first_position_hears_of_it() -> None:
    world = World()
    said = {"receiver": "no fix"}
    world.receiver.status = lambda: said  # type: ignore[method-assign]
    world.pass_time(3)
    assert not world.loop.found(0)
    said["receiver"] = "fix"
    world.pass_time(3)
    assert world.loop.found(0)
    said["receiver"] = "no fix"
    world.pass_time(3)
    assert world.loop.found(0), "the first one of the run counts"
