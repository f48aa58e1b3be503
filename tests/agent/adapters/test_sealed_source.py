"""What the builder gets from the sealed store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.device_keys import DeviceKeys
from agent.adapters.sealed_source import KeptIndex, SealedSource
from agent.adapters.sealed_store import SealedListStore
from agent.adapters.steady_clock import SteadyClock
from agent.errors import RefusedError
from agent.values import Wall
from agent.watchlist.columns import StoredList
from tests.support.agents import KeptLedger
from tests.support.clocks import FakeClock
from tests.support.sealed import DAY, NOW, Published, a_store, entries, nothing, publish


class Rig:
    """A gallery is the valid entries' number here."""

    def __init__(self, folder: Path) -> None:
        self.keys = DeviceKeys.new()
        self.on_disk = a_store(folder, self.keys)
        self.locked = True
        self.clock, self.ledger = FakeClock(wall=NOW), KeptLedger()
        self.source = SealedSource(self.store, self.make, self.ledger, self.clock)

    def store(self) -> SealedListStore:
        if self.locked:
            raise RefusedError("the store is locked")
        return self.on_disk

    def make(self, stored: StoredList, *, now: Wall, previous: Any) -> int:
        return int(stored.columns.valid_at(now).sum())

    def receive(self, published: Published) -> None:
        self.on_disk.install(
            published.manifest, published.shards, now=self.clock.wall(), record=nothing
        )

    def build(self) -> int:
        return self.source.build(now=self.clock.wall())


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    rig.receive(publish([entries(1, 3, not_after=[NOW + 10, NOW + DAY, NOW + DAY])]))
    yield rig
    rig.on_disk.close()


def test_unlocking_a_new_list_and_a_clock_set_back_are_news(rig: Rig) -> None:
    seen = [rig.source.fingerprint()]
    rig.locked = False
    seen.append(rig.source.fingerprint())
    rig.clock.wall_now -= 10
    seen.append(rig.source.fingerprint())
    rig.clock.wall_now += 10
    assert rig.source.fingerprint() == seen[1]
    rig.receive(publish([entries(1, 2)], version=2))
    seen.append(rig.source.fingerprint())
    assert len(set(seen)) == len(seen) - 1  # locked and clock wrong are both: nobody
    assert rig.source.fingerprint() == seen[-1]


class Indexed(int):
    """A gallery with an index."""


def freeze(gallery: object) -> bytearray | None:
    return bytearray(b"index of %d" % gallery) if isinstance(gallery, Indexed) else None


def thaw(gallery: int, data: bytearray) -> Indexed | None:
    return Indexed(gallery) if data == b"index of %d" % gallery else None


class TestKeptIndex:
    @pytest.fixture
    def rig(self, rig: Rig) -> Rig:
        rig.locked = False
        index = KeptIndex("form-1", freeze, thaw)
        rig.source = SealedSource(rig.store, rig.make, rig.ledger, rig.clock, index=index)
        return rig

    def test_the_next_start_has_it(self, rig: Rig) -> None:
        assert type(rig.build()) is int
        rig.source.keep(Indexed(3))
        assert type(rig.build()) is Indexed

    def test_a_gallery_without_one_keeps_nothing(self, rig: Rig) -> None:
        rig.source.keep(rig.build())
        assert rig.on_disk.cache_get("form-1") is None

    def test_another_form_or_another_list_is_not_taken(self, rig: Rig) -> None:
        rig.build()
        rig.source.keep(Indexed(2))
        assert type(rig.build()) is int
        rig.source.keep(Indexed(3))
        other = KeptIndex("form-2", freeze, thaw)
        rig.source = SealedSource(rig.store, rig.make, rig.ledger, rig.clock, index=other)
        assert type(rig.build()) is int

    def test_damaged_on_disk_it_is_made_again(self, rig: Rig, tmp_path: Path) -> None:
        rig.build()
        rig.source.keep(Indexed(3))
        (file,) = tmp_path.rglob("*.cache")
        assert b"index of" not in file.read_bytes()
        file.write_bytes(bytes(len(file.read_bytes())))
        assert type(rig.build()) is int

    def test_an_expiry_ends_it(self, rig: Rig, tmp_path: Path) -> None:
        rig.build()
        rig.source.keep(Indexed(3))
        rig.clock.advance(11)
        assert type(rig.build()) is int
        assert list(tmp_path.rglob("*.cache")) == []


def test_locked_nobody_is_served(rig: Rig) -> None:
    with pytest.raises(RefusedError, match="locked"):
        rig.build()
    assert rig.source.nobody(now=NOW) == 0
    rig.locked = False
    assert rig.build() == 3


def test_what_expired_is_destroyed_and_recorded(rig: Rig) -> None:
    rig.locked = False
    before = rig.source.fingerprint()
    rig.clock.advance(10)
    rig.source.expire(rig.clock.wall())
    assert rig.ledger.records == [
        ("expire", {"list": "L-1", "version": 1, "entries": 1, "reason": "their time was over"})
    ]
    assert rig.source.fingerprint() == before
    rig.source.expire(rig.clock.wall())
    assert len(rig.ledger.records) == 1


def test_what_ended_while_it_was_locked_is_destroyed_at_the_first_build(rig: Rig) -> None:
    rig.clock.advance(10)
    rig.locked = False
    assert rig.build() == 2
    assert [kind for kind, _ in rig.ledger.records] == ["expire"]


def test_a_list_that_ended_serves_nobody_and_is_destroyed(rig: Rig) -> None:
    rig.locked = False
    rig.clock.advance(DAY)
    with pytest.raises(RefusedError, match="was destroyed: it ended"):
        rig.build()
    assert rig.on_disk.installed() is None
    (record,) = rig.ledger.records
    assert (record[0], record[1]["entries"]) == ("expire", 3)


def test_a_list_withdrawn_by_its_agency_serves_nobody(rig: Rig) -> None:
    rig.locked = False
    before = rig.source.fingerprint()
    rig.on_disk.destroy("withdrawn by the agency", now=NOW)
    assert rig.source.fingerprint() != before
    with pytest.raises(RefusedError, match="withdrawn by the agency"):
        rig.build()


def test_on_the_word_of_a_wrong_clock_nothing_is_destroyed(rig: Rig) -> None:
    rig.locked = False
    assert rig.build() == 3
    rig.clock.wall_now -= 10
    with pytest.raises(RefusedError, match="the clock is wrong"):
        rig.source.expire(Wall(NOW + DAY))
    assert rig.on_disk.installed() is not None


def test_a_steady_clock_is_not_held_back() -> None:
    clock = FakeClock(wall=NOW)
    steady = SteadyClock(clock)
    clock.advance(5)
    clock.wall_now = NOW - 100
    assert steady.wall() == NOW + 5
    clock.advance(5)
    assert steady.wall() == NOW + 10
    clock.wall_now = NOW + 3600
    assert steady.wall() == NOW + 3600
