from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest

from agent.errors import DataError
from agent.runtime.board import Board
from agent.runtime.builder_loop import NICE, BuilderLoop, lower_priority
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.mailbox import Mailbox
from agent.runtime.orders import Disarm, NewGallery, Order
from agent.values import Wall
from tests.support.clocks import FakeClock
from tests.support.logs import KeptLog


class FakeGallery:
    """`index`: what `indexed` comes to. `looks`: what it was told while it worked."""

    how = "searched exactly"

    def __init__(self, next_change: float | None = None) -> None:
        self.next_change = None if next_change is None else Wall(next_change)
        self.index: FakeGallery | None = None
        self.meanwhile: Callable[[], None] = lambda: None
        self.looks: list[bool] = []

    def indexed(self, go_on: Callable[[], bool]) -> FakeGallery | None:
        self.looks.append(go_on())
        self.meanwhile()
        self.looks.append(go_on())
        return self.index if self.looks[-1] else None


class FakeSource:
    """A list on disk that a test changes."""

    def __init__(self) -> None:
        self.stamp = 1
        self.built: list[float] = []
        self.answer: FakeGallery | Exception = FakeGallery()

    def fingerprint(self) -> object:
        return self.stamp

    def build(self, *, now: Wall) -> FakeGallery:
        self.built.append(now)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Rig:
    def __init__(self, next_change: float | None = None) -> None:
        self.source, self.clock, self.log = FakeSource(), FakeClock(wall=1000.0), KeptLog()
        self.mailbox: Mailbox[Order] = Mailbox(live=True)
        self.board = Board(self.clock)
        self.beats = Heartbeats(self.clock, {"builder": 600.0})
        self.serving = FakeGallery(next_change)
        self.loop = BuilderLoop(
            self.source, self.mailbox, (self.serving, 1),
            clock=self.clock, board=self.board, heartbeats=self.beats, log=self.log, uid=7,
        )  # fmt: skip

    def posted(self) -> tuple[Order, ...]:
        return self.mailbox.take(0).messages


def test_nothing_is_built_while_nothing_changes() -> None:
    rig = Rig()
    rig.loop.poll()
    rig.clock.advance(1e6)
    rig.loop.poll()
    assert rig.source.built == []


def test_a_change_of_the_list_is_built_once_and_posted() -> None:
    rig = Rig()
    rig.source.stamp = 2
    rig.loop.poll()
    rig.loop.poll()
    assert rig.source.built == [1000.0]
    (order,) = rig.posted()
    assert isinstance(order, NewGallery)
    assert order.gallery is rig.source.answer


def test_an_entry_that_begins_or_expires_is_a_change_too() -> None:
    rig = Rig(next_change=1010.0)
    rig.source.answer = FakeGallery(1020.0)
    rig.clock.advance(9.9)
    rig.loop.poll()
    assert rig.posted() == ()
    rig.clock.advance(0.1)
    rig.loop.poll()
    assert len(rig.posted()) == 1
    rig.clock.advance(10.0)
    rig.loop.poll()
    assert rig.source.built == [1010.0, 1020.0]


def test_a_damaged_list_leaves_the_old_one_in_service_and_says_so() -> None:
    rig = Rig(next_change=2000.0)
    rig.source.stamp, rig.source.answer = 2, DataError("list: torn\nfile")
    rig.loop.poll()
    rig.loop.poll()
    assert rig.posted() == ()
    assert len(rig.source.built) == 1
    assert rig.board.condition.state == "degraded"
    assert rig.board.condition.watchlist == "list: torn file"


def test_a_list_that_cannot_be_renewed_when_it_is_due_disarms() -> None:
    rig = Rig(next_change=1010.0)
    rig.source.answer = DataError("torn")
    rig.clock.advance(10.0)
    rig.loop.poll()
    (order,) = rig.posted()
    assert isinstance(order, Disarm)
    assert order.uid == 7
    rig.loop.poll()
    assert rig.posted() == ()


def an_index() -> FakeGallery:
    index = FakeGallery()
    index.how = "searched by graph"
    return index


def test_the_index_follows_the_list_that_serves_once() -> None:
    rig = Rig()
    rig.serving.index = an_index()
    assert rig.loop.how == "searched exactly"
    rig.loop.poll()
    (order,) = rig.posted()
    assert order == NewGallery(rig.serving.index, same_list=True)
    assert rig.loop.how == "searched by graph"
    assert rig.log.lines == [("info", "watchlist index", {"reason": "searched by graph"})]
    rig.loop.poll()
    assert rig.posted() == ()


def test_a_changed_list_serves_before_its_index_is_tried() -> None:
    rig = Rig()
    new = FakeGallery()
    new.index = an_index()
    rig.source.stamp, rig.source.answer = 2, new
    rig.loop.poll()
    assert [order.same_list for order in rig.posted()] == [False]  # type: ignore[union-attr]
    assert new.looks == []
    rig.loop.poll()
    assert [order.gallery for order in rig.posted()] == [new.index]  # type: ignore[union-attr]


@pytest.mark.parametrize("cause", ["changed", "due", "stopped"])
def test_an_index_that_is_overtaken_is_given_up(cause: str) -> None:
    rig = Rig(next_change=1010.0)
    rig.serving.index = an_index()
    rig.serving.meanwhile = {
        "changed": lambda: setattr(rig.source, "stamp", 2),
        "due": lambda: rig.clock.advance(10.0),
        "stopped": rig.loop.stop,
    }[cause]
    rig.loop.poll()
    assert rig.serving.looks == [True, False]
    assert rig.posted() == ()
    rig.loop.poll()
    assert [order.gallery for order in rig.posted()] == (  # type: ignore[union-attr]
        [] if cause == "stopped" else [rig.source.answer]
    )


def test_the_watchdog_is_fed_while_an_index_grows() -> None:
    rig = Rig()
    rig.serving.meanwhile = lambda: rig.clock.advance(599.0)
    rig.loop.poll()
    rig.clock.advance(599.0)
    assert rig.beats.late() == ()


def test_it_ends_when_told_and_shows_that_it_lives() -> None:
    rig = Rig()
    lowered: list[bool] = []
    thread = threading.Thread(target=rig.loop.run, args=(lambda: lowered.append(True),))
    thread.start()
    rig.loop.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert lowered == [True]
    rig.clock.advance(1e6)
    assert rig.beats.late() == ()


@pytest.mark.skipif(not hasattr(os, "setpriority"), reason="needs setpriority")
def test_only_the_builder_gives_way() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    seen: list[int] = []

    def build() -> None:
        lower_priority()
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    thread = threading.Thread(target=build)
    thread.start()
    thread.join(5)
    assert seen == [min(19, before + NICE)]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
