"""The real list, store and graph under the builder thread's loop."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.adapters import gallery
from agent.adapters.device_keys import DeviceKeys
from agent.adapters.gallery import ListGallery, renewed
from agent.adapters.list_source import ListSource
from agent.adapters.sealed_source import SealedSource
from agent.adapters.sealed_store import SealedListStore
from agent.adapters.search_trial import Trial
from agent.adapters.watchlist_store import WatchlistStore
from agent.app.lists import _KEPT
from agent.config import WatchlistConfig
from agent.runtime.board import Board
from agent.runtime.builder_loop import BuilderLoop
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.mailbox import Mailbox
from agent.runtime.orders import NewGallery, Order
from agent.values import Wall
from agent.watchlist.columns import StoredList
from tests.support.agents import KeptLedger
from tests.support.clocks import FakeClock
from tests.support.lists import BEGIN, SPACE, a_list, some_columns
from tests.support.logs import KeptLog
from tests.support.sealed import NOW, a_store, entries, nothing, publish


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


def test_an_agency_list_starts_with_the_index_of_the_start_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "EXACT_BELOW", 100)
    monkeypatch.setattr(Trial, "won", True)  # a short list is searched exactly in less time
    keys, clock = DeviceKeys.new(), FakeClock(wall=NOW)

    def make(stored: StoredList, *, now: Wall, previous: object) -> ListGallery:
        config = WatchlistConfig()
        return renewed(stored, now=now, previous=previous, config=config, threads=1)

    def start() -> tuple[SealedListStore, SealedSource[ListGallery], ListGallery]:
        store = a_store(tmp_path, keys)
        source = SealedSource(lambda: store, make, KeptLedger(), clock, index=_KEPT)
        return store, source, source.build(now=clock.wall())

    store = a_store(tmp_path, keys)
    listed = publish([entries(1, 150)])
    store.install(listed.manifest, listed.shards, now=clock.wall(), record=nothing)
    store.close()
    store, source, first = start()
    assert first.trial is None
    indexed = first.indexed()
    assert indexed is not None
    source.keep(indexed)
    store.close()

    store, source, again = start()
    assert again.trial == indexed.trial
    probes = entries(1, 150).vectors[:5]
    assert again.search(probes) == indexed.search(probes) == first.search(probes)
    newer = publish([entries(1, 151)], version=2)
    store.install(newer.manifest, newer.shards, now=clock.wall(), record=nothing)
    assert source.build(now=clock.wall()).trial is None
    store.close()
