from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest

from agent.errors import DataError, DiskError, RefusedError
from agent.runtime.board import Board
from agent.runtime.builder_loop import NICE, BuilderLoop, lower_priority
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.mailbox import Mailbox
from agent.runtime.orders import NewGallery, Order, Withdraw
from agent.values import Candidates, Vectors, Wall, WatchlistRef
from tests.support.clocks import FakeClock
from tests.support.logs import KeptLog


class FakeGallery:
    """`index`: what `indexed` comes to. `looks`: what it was told while it worked."""

    how = "searched exactly"
    templates = subjects = 0

    def __init__(self, next_change: float | None = None, *, stale: bool = False) -> None:
        self.next_change = None if next_change is None else Wall(next_change)
        self.stale = stale
        self.ref = WatchlistRef("list", 1)
        self.index: FakeGallery | None = None
        self.later: FakeGallery | None = None
        self.asked_at: list[float] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.looks: list[bool] = []

    def search(self, probes: Vectors) -> list[Candidates]:
        return [Candidates(None, None) for _ in probes]

    confirm = search

    def at(self, now: Wall) -> FakeGallery:
        self.asked_at.append(now)
        return self.later or FakeGallery()

    def indexed(self, go_on: Callable[[], bool]) -> FakeGallery | None:
        self.looks.append(go_on())
        self.meanwhile()
        self.looks.append(go_on())
        return self.index if self.looks[-1] else None


class FakeSource:
    """A list on disk that a test changes."""

    def __init__(self) -> None:
        self.stamp = 1
        self.built: list[tuple[float, object]] = []
        self.answer: FakeGallery | Exception = FakeGallery()
        self.empty = FakeGallery()
        self.expired: list[float] = []
        self.kept: list[FakeGallery] = []
        self.stuck: Exception | None = None

    def fingerprint(self) -> object:
        return self.stamp

    def under(self) -> str:
        return ""

    def build(self, *, now: Wall, previous: object = None) -> FakeGallery:
        self.built.append((now, previous))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def nobody(self, *, now: Wall) -> FakeGallery:
        del now
        return self.empty

    def expire(self, now: Wall) -> None:
        if self.stuck is not None:
            raise self.stuck
        self.expired.append(now)

    def keep(self, gallery: FakeGallery) -> None:
        if self.stuck is not None:
            raise self.stuck
        self.kept.append(gallery)


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
    assert rig.source.built == [(1000.0, rig.serving)]
    (order,) = rig.posted()
    assert isinstance(order, NewGallery)
    assert order.gallery is rig.source.answer


def test_an_entry_that_begins_or_expires_changes_what_serves_at_once_then_the_disk() -> None:
    rig = Rig(next_change=1010.0)
    rig.serving.later = FakeGallery(1020.0)
    rig.clock.advance(9.9)
    rig.loop.poll()
    assert rig.posted() == ()
    rig.clock.advance(0.1)
    rig.loop.poll()
    assert rig.posted() == (NewGallery(rig.serving.later),)
    assert (rig.serving.asked_at, rig.source.expired) == ([1010.0], [1010.0])
    rig.clock.advance(10.0)
    rig.loop.poll()
    assert rig.serving.later.asked_at == [1020.0]
    assert rig.source.built == []


def test_what_cannot_be_destroyed_is_tried_again_and_told_once() -> None:
    rig = Rig(next_change=1010.0)
    rig.source.stuck = DiskError("full")
    rig.clock.advance(10.0)
    rig.loop.poll()
    rig.loop.poll()
    told = "what is over cannot be destroyed yet"
    assert rig.log.lines == [("error", told, {"reason": "full"})]
    assert len(rig.posted()) == 1
    rig.source.stuck = None
    rig.loop.poll()
    rig.loop.poll()
    assert rig.source.expired == [1010.0]


def test_a_damaged_list_leaves_the_old_one_in_service_and_says_so() -> None:
    rig = Rig(next_change=2000.0)
    rig.source.stamp, rig.source.answer = 2, DataError("list: torn\nfile")
    rig.loop.poll()
    rig.loop.poll()
    assert rig.posted() == ()
    assert len(rig.source.built) == 1
    assert rig.board.condition.state == "degraded"
    assert rig.board.condition.watchlist == "list: torn file"


def test_a_damaged_list_is_withdrawn_when_an_entry_of_it_changes() -> None:
    rig = Rig(next_change=1010.0)
    rig.source.stamp, rig.source.answer = 2, DataError("torn")
    rig.loop.poll()
    assert rig.posted() == ()
    rig.clock.advance(10.0)
    rig.loop.poll()
    (order,) = rig.posted()
    assert isinstance(order, Withdraw)
    assert (order.gallery, order.uid) == (rig.source.empty, 7)
    rig.loop.poll()
    assert rig.posted() == ()


def test_a_list_that_may_not_be_used_is_withdrawn_at_once() -> None:
    rig = Rig()
    rig.source.stamp, rig.source.answer = 2, RefusedError("the clock is\nwrong")
    rig.loop.poll()
    (order,) = rig.posted()
    assert order == Withdraw(rig.source.empty, "the clock is wrong", 7)
    rig.source.stamp, rig.source.answer = 3, FakeGallery()
    rig.loop.poll()
    assert rig.posted() == (NewGallery(rig.source.answer),)


def test_a_list_of_many_changes_is_built_anew_with_its_index_when_nothing_is_to_do() -> None:
    rig = Rig()
    rig.serving.stale = True
    compact = FakeGallery()
    compact.index = FakeGallery()
    rig.source.answer = compact
    rig.loop.poll()
    assert rig.source.built == []
    rig.loop.poll()
    assert rig.source.built == [(1000.0, None)]
    assert rig.posted() == (NewGallery(compact.index, same_list=True),)
    assert rig.source.kept == [compact.index]


@pytest.mark.parametrize("cause", ["unreadable", "another version", "overtaken"])
def test_what_was_built_anew_takes_over_only_when_it_is_the_same_list(cause: str) -> None:
    rig = Rig()
    rig.serving.stale = True
    compact = FakeGallery()
    rig.source.answer = compact
    if cause == "unreadable":
        rig.source.answer = DiskError("gone")
    elif cause == "another version":
        compact.ref = WatchlistRef("list", 2)
    else:
        compact.meanwhile = lambda: setattr(rig.source, "stamp", 2)
    rig.loop.poll()
    rig.loop.poll()
    assert rig.posted() == ()
    assert len(rig.source.built) == 1


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
    assert rig.source.kept == [rig.serving.index]
    rig.loop.poll()
    assert rig.posted() == ()
    assert len(rig.serving.index.looks) == 2


def test_a_damaged_list_is_to_be_fetched_again_soon() -> None:
    rig, asked = Rig(), []
    rig.loop = BuilderLoop(
        rig.source, rig.mailbox, (rig.serving, 1), clock=rig.clock, board=rig.board,
        heartbeats=rig.beats, log=rig.log, uid=7, look_again=lambda: asked.append("soon"),
    )  # fmt: skip
    for number, error in enumerate((RefusedError("its time is over"), DataError("a shard"))):
        rig.source.stamp, rig.source.answer = 10 + number, error
        rig.loop.poll()
    assert asked == ["soon"]
    rig.source.stamp, rig.source.answer = 20, FakeGallery()
    rig.loop.poll()
    assert asked == ["soon", "soon"]
    rig.source.stamp = 21
    rig.loop.poll()
    assert asked == ["soon", "soon"]


def test_an_index_that_cannot_be_kept_serves_all_the_same() -> None:
    rig = Rig()
    rig.serving.index, rig.source.stuck = an_index(), DiskError("no space left on device")
    rig.loop.poll()
    assert len(rig.posted()) == 1
    assert rig.log.lines[-1][0] == "warning"
    assert "no space left" in rig.log.lines[-1][2]["reason"]


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
    later = rig.serving.later = FakeGallery()
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
        {"stopped": [], "changed": [rig.source.answer], "due": [later]}[cause]
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
