"""The outbox on a disk that really is full."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.adapters.reserve import Reserve
from agent.errors import DiskError
from agent.values import Gap, Loss, OutboxEntry, Wall
from tests.support.alerts import an_entry, ulid
from tests.support.outboxes import leaves, spoil
from tests.support.small_disk import StorageEars, fill, free, small_disk

RESERVE = 1024 * 1024


class Device:
    """An outbox with a reserve on a disk of its own."""

    def __init__(self, disk: Path) -> None:
        self.disk, self.ears = disk, StorageEars()
        self.reserve = Reserve(disk / "reserve", RESERVE, self.ears)
        self.reserve.take()
        self.outbox = SqliteOutbox(disk / "outbox.sqlite", reserve=self.reserve)
        self.raised = 0

    def raise_alert(self, size: int = 2000) -> bool:
        self.raised += 1
        number = self.raised
        return self.outbox.put(an_entry(number, priority=number % 3, payload=b"x" * size))

    def raise_until(self, told: str, limit: int = 2000) -> int:
        """How many were kept until this was told."""
        kept = 0
        while told not in self.ears.told:
            kept += self.raise_alert()
            assert self.raised < limit
        return kept

    def tell_gap(self) -> Gap | None:
        told: list[Gap] = []

        def make(gap: Gap) -> OutboxEntry:
            told.append(gap)
            return OutboxEntry(ulid(99_999), "match", b"gap", 0, Wall(1.8e9), gap=True)

        self.outbox.report_gap(make)
        return told[0] if told else None


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with small_disk(tmp_path, 4096) as disk:
        device = Device(disk)
        yield device
        device.outbox.close()


def test_the_reserve_keeps_it_going_and_nothing_is_lost_at_first(device):
    for _ in range(5):
        assert device.raise_alert()
    fill(device.disk)
    kept = sum(device.raise_alert() for _ in range(30))

    assert kept == 30
    assert device.outbox.depth() == 35
    assert device.ears.told == ["spending"]


def test_then_the_oldest_of_lowest_priority_give_way_and_each_is_counted(device):
    fill(device.disk)
    kept = [device.raise_alert() for _ in range(90)]

    depth = device.outbox.depth()
    ids = {entry.id for entry in device.outbox.pending(600)}
    lowest = [n for n in range(1, 91) if n % 3 == 0]
    gone = [n for n in range(1, 91) if ulid(n) not in ids]
    assert kept == [True] * 90
    assert device.ears.told == ["spending"]
    assert len(gone) == 90 - depth > 10
    assert gone == lowest[: len(gone)]
    assert device.outbox.counts().given_up == len(gone)
    assert device.tell_gap().by_reason == {Loss.DISK_FULL: len(gone)}
    assert free(device.disk) > RESERVE // 4  # left to the audit log


def test_used_up_is_told_once_and_raises_nothing(device):
    fill(device.disk)
    device.raise_alert()
    fill(device.disk)  # somebody else takes the rest
    before = device.outbox.depth()
    results = [device.raise_alert(60_000) for _ in range(3)]

    assert results == [False] * 3
    assert device.ears.told == ["spending", "exhausted"]
    assert device.outbox.depth() == before
    assert device.outbox.counts().given_up == 3


def test_space_again_brings_the_reserve_back_and_the_losses_are_told(device):
    ballast = fill(device.disk)
    device.raise_alert()
    more = fill(device.disk)
    assert device.raise_alert(60_000) is False
    ballast.unlink()
    assert not more.exists()
    assert device.reserve.take()

    assert device.ears.told == ["spending", "exhausted", "restored"]
    assert device.raise_alert()
    assert device.tell_gap().by_reason == {Loss.DISK_FULL: 1}
    assert device.outbox.counts().given_up == 0
    assert device.outbox.depth() == 3


def test_what_cannot_be_erased_stays_until_it_can(device):
    for _ in range(20):
        device.raise_alert()
    ballast = fill(device.disk)
    device.reserve.release()
    fill(device.disk)
    first = [entry.id for entry in device.outbox.pending(5)]
    with pytest.raises(DiskError, match="full"):
        device.outbox.park(first[0], "x" * 900_000)
    assert device.ears.told == ["spending", "exhausted"]

    ballast.unlink()
    assert device.outbox.confirmed(*first) == set(first)
    assert device.outbox.depth() == 15


def test_without_a_reserve_a_full_disk_is_an_error(tmp_path):
    with small_disk(tmp_path, 512) as disk:
        outbox = SqliteOutbox(disk / "outbox.sqlite")
        outbox.put(an_entry(1))
        fill(disk)
        with pytest.raises(DiskError, match="check free space"):
            outbox.put(an_entry(2, payload=b"x" * 50_000))
        (disk / "ballast").unlink()
        outbox.put(an_entry(100))
        outbox.close()


def test_it_opens_on_a_full_disk_with_the_reserve_of_an_earlier_run(device):
    device.raise_alert()
    device.outbox.close()
    fill(device.disk)
    device.outbox = SqliteOutbox(device.disk / "outbox.sqlite", reserve=device.reserve)

    assert device.outbox.count_up("session") == 1
    assert device.raise_alert()
    assert device.outbox.depth() == 2


def test_damage_found_on_a_full_disk_is_mended_in_the_reserve(device):
    for _ in range(20):
        device.raise_alert()
    device.outbox.tidy()
    device.outbox._file.run(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    spoil(device.disk / "outbox.sqlite", leaves(device.disk / "outbox.sqlite", "entry")[2])
    device.outbox._file.connection.execute("PRAGMA shrink_memory")
    fill(device.disk)

    assert 16 <= len(device.outbox.pending(30)) < 20
    assert device.raise_alert()
    assert device.ears.told == ["spending"]


def test_no_room_to_mend_it_is_an_error_until_there_is(device):
    for _ in range(20):
        device.raise_alert()
    device.outbox._file.run(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    spoil(device.disk / "outbox.sqlite", leaves(device.disk / "outbox.sqlite", "entry")[2])
    device.outbox._file.connection.execute("PRAGMA shrink_memory")
    device.reserve.release()
    ballast = fill(device.disk)
    for _ in range(2):
        with pytest.raises(DiskError, match="full"):
            device.outbox.pending(30)
    assert list(device.disk.glob("*.corrupt-*")) == []

    ballast.unlink()
    assert 16 <= len(device.outbox.pending(30)) < 20
    assert len(device.outbox.salvages) == 1
