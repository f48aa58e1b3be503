"""What gives way when there is no room or no time, and how it is counted and told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.values import Gap, Loss, Monotonic, OutboxEntry, Wall
from tests.support.alerts import an_entry, ulid
from tests.support.clocks import FakeClock

Make = Callable[..., SqliteOutbox]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    opened: list[SqliteOutbox] = []

    def begin(**options: object) -> SqliteOutbox:
        settings = {"clock": FakeClock(), "boot": "this", **options}
        opened.append(SqliteOutbox(tmp_path / "outbox.sqlite", **settings))
        return opened[-1]

    yield begin
    for outbox in opened:
        outbox.close()


def ids(outbox: SqliteOutbox, **options: object) -> list[int]:
    names = {ulid(n): n for n in range(200)}
    return [names[entry.id] for entry in outbox.pending(200, **options)]


def report(outbox: SqliteOutbox, number: int = 150) -> Gap | None:
    """The gap that is told, if one is."""
    told: list[Gap] = []

    def entry(gap: Gap) -> OutboxEntry:
        told.append(gap)
        return OutboxEntry(ulid(number), "match", b"gap", 0, Wall(1.8e9), gap=True)

    assert outbox.report_gap(entry) == (ulid(number) if told else None)
    return told[0] if told else None


def test_over_the_count_the_lowest_priority_oldest_first_gives_way(make):
    outbox = make(max_events=3)
    kept = [
        outbox.put(an_entry(n, priority=p)) for n, p in ((1, 5), (2, 0), (3, 0), (4, 5), (5, 1))
    ]

    assert kept == [True] * 5
    assert ids(outbox) == [1, 4, 5]
    gap = report(outbox)
    assert gap == Gap(Wall(1_800_000_002.0), Wall(1_800_000_003.0), {Loss.OUTBOX_FULL: 2})


def test_over_the_bytes_as_many_give_way_as_it_takes(make):
    outbox = make(max_bytes=1000)
    for number in range(1, 4):
        outbox.put(an_entry(number, payload=b"x" * 300))
    outbox.put(an_entry(4, payload=b"x" * 600))

    assert ids(outbox) == [3, 4]
    assert outbox.counts().size == 900


def test_the_new_one_gives_way_itself_when_all_others_matter_more(make):
    outbox = make(max_events=2)
    for number in (1, 2):
        outbox.put(an_entry(number, priority=5))

    assert outbox.put(an_entry(3, priority=0), cooldown=("s", Monotonic(1.0))) is False
    assert ids(outbox) == [1, 2]
    assert outbox.cooldown("s") == (ulid(3), 1.0)  # it was raised: no second id for the same
    assert outbox.counts().given_up == 1


def test_parked_ones_count_and_give_way_like_others(make):
    outbox = make(max_events=2)
    outbox.put(an_entry(1))
    outbox.park(ulid(1), "no")
    outbox.put(an_entry(2))
    outbox.put(an_entry(3))

    assert (ids(outbox), outbox.parked()) == ([2, 3], {})


def test_a_gap_is_told_once_and_never_makes_a_gap(make):
    outbox = make(max_events=2)
    for number in range(5):
        outbox.put(an_entry(number))
    assert report(outbox).events == 3
    assert report(outbox, 151) is None

    for number in range(5, 9):
        outbox.put(an_entry(number, priority=9))
    assert [entry.gap for entry in outbox.pending(10)] == [False, True]
    assert report(outbox, 151) is None  # the first is not delivered yet
    outbox.confirmed(ulid(150))
    assert report(outbox, 151).by_reason == {Loss.OUTBOX_FULL: 5}


def test_what_was_given_up_is_remembered_over_a_restart(make):
    outbox = make(max_events=1)
    outbox.put(an_entry(1))
    outbox.put(an_entry(2))
    outbox.close()

    assert report(make()).events == 1


def test_nothing_lost_nothing_told(make):
    outbox = make()
    outbox.put(an_entry(1))
    assert report(outbox) is None


def test_what_is_too_old_is_given_up_by_the_clock_that_can_tell(make):
    earlier = make(boot="before")
    earlier.put(an_entry(1, at=None))
    earlier.put(an_entry(100, at=None))
    earlier.close()
    outbox = make()
    for number, at in ((2, 10.0), (3, 20.0)):
        outbox.put(an_entry(number, at=at))

    assert outbox.expire(put_before=Monotonic(10.0), created_before=Wall(1_800_000_050.0)) == 2
    assert sorted(ids(outbox)) == [3, 100]
    assert report(outbox).by_reason == {Loss.EXPIRED: 2}
    assert outbox.expire(put_before=Monotonic(10.0), created_before=Wall(1_800_000_050.0)) == 0


def test_a_gap_does_not_expire(make):
    outbox = make(max_events=1)
    outbox.put(an_entry(1))
    outbox.put(an_entry(2))
    report(outbox)
    assert outbox.expire(put_before=Monotonic(1e9), created_before=Wall(2e9)) == 1
    assert [entry.id for entry in outbox.pending(10)] == [ulid(150)]


def test_live_ones_come_before_a_long_backlog_of_higher_priority(make):
    outbox = make()
    for number in range(100):
        outbox.put(an_entry(number, priority=9, at=1.0))
    outbox.put(an_entry(101, priority=0, at=500.0))
    outbox.put(an_entry(102, priority=1, at=500.0))

    assert ids(outbox, live_since=Monotonic(300.0))[:4] == [102, 101, 0, 1]
    assert [e.id for e in outbox.pending(1, live_since=Monotonic(300.0))] == [ulid(102)]
    assert ids(outbox)[:2] == [0, 1]
    assert len(outbox.pending(50, live_since=Monotonic(300.0))) == 50


def test_an_earlier_boot_is_never_live(make):
    earlier = make(boot="before")
    earlier.put(an_entry(1, at=999.0))
    earlier.close()
    outbox = make()
    outbox.put(an_entry(2, at=400.0))

    assert ids(outbox, live_since=Monotonic(300.0)) == [2, 1]
    assert [entry.at for entry in outbox.pending(2)] == [None, 400.0]


def test_the_outbox_says_when_it_was_put_if_nobody_else_does(make):
    outbox = make()
    outbox.put(an_entry(1, at=None))
    assert outbox.pending(1)[0].at == 1000.0  # as the clock has it


def test_parked_ones_can_be_tried_again(make):
    outbox = make()
    for number in (1, 2, 3):
        outbox.put(an_entry(number))
        outbox.park(ulid(number), "no")
    assert (outbox.counts().events, outbox.counts().parked) == (3, 3)

    assert outbox.unpark(ulid(2)) == 1
    assert ids(outbox) == [2]
    assert outbox.unpark() == 2
    assert outbox.unpark() == 0
    assert ids(outbox) == [1, 2, 3]


def test_present_are_those_that_can_still_be_sent(make):
    outbox = make()
    for number in (1, 2):
        outbox.put(an_entry(number))
    outbox.park(ulid(2), "no")
    assert outbox.present([ulid(1), ulid(2), ulid(3)]) == {ulid(1)}


def test_confirming_says_which_were_there(make):
    outbox = make()
    outbox.put(an_entry(1))
    assert outbox.confirmed(ulid(1), ulid(2)) == {ulid(1)}
    assert outbox.confirmed(ulid(1)) == set()
