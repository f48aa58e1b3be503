"""The real list, store and graph under the builder thread's loop."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.adapters import gallery
from agent.adapters.gallery import ListGallery
from agent.adapters.list_source import ListSource
from agent.adapters.watchlist_store import WatchlistStore
from agent.config import WatchlistConfig
from agent.runtime.board import Board
from agent.runtime.builder_loop import BuilderLoop
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.mailbox import Mailbox
from agent.runtime.orders import NewGallery, Order
from tests.support.clocks import FakeClock
from tests.support.lists import BEGIN, SPACE, a_list, some_columns
from tests.support.logs import KeptLog


def test_a_long_list_serves_exactly_until_its_index_was_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "EXACT_BELOW", 100)
    store, clock, log = WatchlistStore(tmp_path), FakeClock(wall=BEGIN + 10), KeptLog()
    store.update(lambda _: a_list(some_columns(150)), record=lambda _: None)
    source = ListSource(store, WatchlistConfig(), SPACE, threads=1)
    stamp, first = source.fingerprint(), source.build(now=clock.wall())
    mailbox: Mailbox[Order] = Mailbox(live=True)
    loop = BuilderLoop(
        source, mailbox, (first, stamp), clock=clock, board=Board(clock),
        heartbeats=Heartbeats(clock, {"builder": 600.0}), log=log, uid=7,
    )  # fmt: skip
    assert loop.how == "searched exactly until its index is built"
    loop.poll()
    (order,) = mailbox.take(0).messages
    assert isinstance(order, NewGallery)
    assert isinstance(order.gallery, ListGallery)
    assert order.same_list
    assert order.gallery.ref == first.ref
    assert order.gallery.trial is not None
    assert loop.how == str(order.gallery.trial) == log.lines[-1][2]["reason"]
    probes = some_columns(150).vectors[:3]
    assert order.gallery.search(probes) == first.search(probes)
