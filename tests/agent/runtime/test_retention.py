"""Nothing of an alert stays on the device longer than the policy says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.runtime.retention import Retention
from agent.values import Gap, Loss, Monotonic, OutboxEntry, Wall
from tests.support.agents import KeptLedger
from tests.support.alerts import ulid
from tests.support.clocks import FakeClock
from tests.support.logs import KeptLog

DAY = 86_400.0


class World:
    """An outbox under a policy that keeps alerts for so many days."""

    def __init__(self, folder: Path, days: float | None) -> None:
        self.folder, self.days = folder, days
        self.clock, self.ledger = FakeClock(), KeptLedger()
        self.boot = "this"
        self.begin()

    def begin(self) -> None:
        path = self.folder / "outbox.sqlite"
        self.outbox = SqliteOutbox(path, clock=self.clock, boot=self.boot)
        self.retention = Retention(
            self.outbox, lambda: self.days, ledger=self.ledger, clock=self.clock, log=KeptLog()
        )

    def another_boot(self) -> None:
        self.outbox.close()
        self.boot, self.clock.now = "another", 5.0
        self.begin()

    def alert(self, number: int) -> None:
        wall = self.clock.wall_now
        entry = OutboxEntry(ulid(number), "match", b"face %d" % number, 0, Wall(wall))
        self.outbox.put(entry, cooldown=(f"A/{number}", Monotonic(self.clock.now + 60)))

    def wait(self, days: float) -> None:
        self.clock.advance(days * DAY)
        self.retention.upkeep()

    def kept(self) -> set[str]:
        return {one.id for one in self.outbox.pending(99)} | set(self.outbox.parked())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, 7)
    yield world
    world.outbox.close()


@pytest.mark.parametrize("state", ["waits", "refused", "of an earlier boot"])
def test_an_alert_that_nobody_fetched_goes_with_the_policys_time(world: World, state: str) -> None:
    world.alert(1)
    if state == "refused":
        world.outbox.park(ulid(1), "the hub has no key")
    if state == "of an earlier boot":
        world.another_boot()
    world.wait(6.9)
    world.alert(2)
    assert world.kept() == {ulid(1), ulid(2)}
    assert world.ledger.records == []
    world.wait(0.2)
    assert world.kept() == {ulid(2)}
    assert world.ledger.records == [("purge", {"events": 1, "days": 7})]
    gaps: list[Gap] = []

    def told(gap: Gap) -> OutboxEntry:
        gaps.append(gap)
        return OutboxEntry(ulid(9), "match", b"gap", 0, Wall(0.0), gap=True)

    world.outbox.report_gap(told)
    assert dict(gaps[0].by_reason) == {Loss.EXPIRED: 1}


def test_nothing_of_it_is_in_any_file(world: World) -> None:
    world.alert(1)
    world.wait(7.1)
    held = b"".join(path.read_bytes() for path in world.folder.iterdir())
    assert b"face 1" not in held
    assert ulid(1).encode() not in held
    assert world.outbox.cooldowns("") == {}


def test_a_newer_policy_counts_for_what_is_there_already(world: World) -> None:
    world.alert(1)
    world.wait(2)
    world.days = 1
    world.wait(0.01)
    assert world.kept() == set()


def test_marks_that_brake_on_following_somebody_stay_for_their_day(world: World) -> None:
    world.days = 0.01
    entry = OutboxEntry(ulid(1), "match", b"x", 0, Wall(world.clock.wall_now))
    world.outbox.put(entry, told=("day/s/", Wall(world.clock.wall_now)))
    world.wait(0.5)
    assert world.kept() == set()
    assert world.outbox.cooldowns("day/s/")
    world.wait(0.6)
    assert not world.outbox.cooldowns("day/s/")


def test_a_damaged_outbox_that_was_set_aside_goes_too(world: World) -> None:
    aside = [world.folder / f"outbox.sqlite.corrupt-1{end}" for end in ("", "-wal")]
    young = world.folder / "outbox.sqlite.corrupt-2"
    for path in (*aside, young):
        path.write_bytes(b"face")
        os.utime(path, (world.clock.wall_now,) * 2)
    os.utime(young, (world.clock.wall_now + 2 * DAY,) * 2)
    world.wait(6.9)
    assert all(path.exists() for path in aside)
    world.wait(0.2)
    assert not any(path.exists() for path in aside)
    assert young.exists()
    assert world.ledger.records == [("purge", {"events": 0, "days": 7})]


def test_while_nobody_knows_the_policy_nothing_is_deleted(world: World) -> None:
    world.alert(1)
    world.days = None
    world.wait(400)
    assert world.kept() == {ulid(1)}


def test_checkpoints_and_gaps_are_no_alerts(world: World) -> None:
    plain = OutboxEntry(ulid(1), "match", b"c", -1, Wall(world.clock.wall_now))
    world.outbox.put(plain)
    world.outbox.put(replace(plain, id=ulid(2), priority=0, gap=True))
    world.wait(8)
    assert world.kept() == {ulid(1), ulid(2)}
