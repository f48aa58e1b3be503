"""Delivery turn by turn: what only the hub can confirm, what is too old, and what was lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.delivery import gap_entry, outbox_entry
from agent.errors import DiskError, RefusedError
from agent.messages import GapEvent
from agent.values import Gap, OutboxEntry, SendResult
from tests.support.alerts import CONTEXT, an_alert, an_entry, ulid
from tests.support.delivery_rig import LIMITS, World

HUB = replace(LIMITS, confirm="hub")
Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[World] = []

    def begin(limits=LIMITS, **options: object) -> World:
        made.append(World(tmp_path, limits, **options))
        made[-1].transport.come_up()
        return made[-1]

    yield begin
    for world in made:
        world.loop.stop()
        world.outbox.close()


def test_the_brokers_word_frees_the_place_and_the_row_stays_until_the_hub_has_it(make):
    world = make(HUB)
    for number in (1, 2, 3):
        world.raise_alert(number)
    world.turn()
    assert world.transport.sent_ids == [ulid(1), ulid(2)]
    world.transport.answer(ulid(1))
    world.turn()
    assert world.transport.sent_ids == [ulid(1), ulid(2), ulid(3)]
    assert world.outbox.depth() == 3
    assert world.loop.status.delivered == 0

    world.clock.advance(0.5)
    world.loop.acknowledged(ulid(1))
    world.turn()
    assert world.outbox.depth() == 2
    assert world.loop.status.delivered == 1
    assert world.loop.latencies_s() == [0.5]
    assert world.loop.status.last_error == ""


def test_without_the_hubs_word_the_same_id_again(make):
    world = make(HUB)
    world.raise_alert(1)
    world.turn()
    world.transport.answer(ulid(1))
    assert world.turn() == 20.0
    world.clock.advance(20.0)
    world.turn()

    assert world.transport.sent_ids == [ulid(1), ulid(1)]
    world.loop.acknowledged(ulid(1))
    world.turn()
    assert world.outbox.depth() == 0


def test_the_hubs_word_for_an_event_of_an_earlier_run_counts(make):
    world = make(HUB)
    world.transport.cut()
    world.raise_alert(1)
    world.loop.acknowledged(ulid(1))
    world.loop.acknowledged(ulid(2))  # never heard of
    world.turn()

    assert (world.outbox.depth(), world.loop.status.delivered) == (0, 1)


def test_the_hubs_word_for_a_parked_event_counts(make):
    world = make(HUB)
    world.raise_alert(1)
    world.turn()
    world.transport.answer(ulid(1), SendResult.REFUSED)
    world.turn()
    assert world.loop.status.parked == 1
    world.loop.acknowledged(ulid(1))
    world.turn()

    assert (world.outbox.depth(), world.loop.status.parked) == (0, 0)


def test_all_that_arrived_is_erased_in_one_commit(make, monkeypatch):
    world = make(replace(LIMITS, in_flight=10))
    for number in range(8):
        world.raise_alert(number)
    world.turn()
    commits: list[tuple[str, ...]] = []
    erase = world.outbox.confirmed
    monkeypatch.setattr(world.outbox, "confirmed", lambda *ids: commits.append(ids) or erase(*ids))
    for number in range(8):
        world.transport.answer(ulid(number))
    world.turn()

    assert commits == [tuple(ulid(n) for n in range(8))]
    assert world.loop.status.delivered == 8


def test_an_alert_past_its_time_goes_out_as_historical_and_never_as_live(make):
    world = make()
    world.transport.cut()
    world.outbox.put(outbox_entry(an_alert(1), CONTEXT))
    world.clock.advance(299.0)
    world.outbox.put(outbox_entry(an_alert(2), CONTEXT))
    world.clock.advance(1.0)
    world.transport.come_up()
    world.turn()

    events = [json.loads(payload) for _, _, payload in world.transport.sent]
    assert [(e["id"], e["data"]["historical"]) for e in events] == [
        (ulid(2), False),
        (ulid(1), True),
    ]
    stored = {entry.id: entry.payload for entry in world.outbox.pending(2)}
    assert json.loads(stored[ulid(1)])["data"]["historical"] is False


def test_the_same_alert_is_live_at_first_and_historical_when_sent_again(make):
    world = make(HUB)
    world.outbox.put(outbox_entry(an_alert(1), CONTEXT))
    for _ in range(2):
        world.turn()
        world.transport.answer(ulid(1))
        world.turn()
        world.clock.advance(300.0)
    assert [json.loads(p)["data"]["historical"] for _, _, p in world.transport.sent] == [
        False,
        True,
    ]


def test_a_jump_of_the_wall_clock_makes_nothing_historical_and_nothing_live(make):
    world = make()
    world.transport.cut()
    world.outbox.put(outbox_entry(an_alert(1), CONTEXT))
    world.clock.wall_now += 86_400
    world.clock.advance(100.0)
    world.outbox.put(outbox_entry(an_alert(2), CONTEXT))
    world.clock.wall_now -= 3 * 86_400
    world.clock.advance(200.0)
    world.transport.come_up()
    world.turn()

    assert [
        (json.loads(p)["id"], json.loads(p)["data"]["historical"])
        for _, _, p in world.transport.sent
    ] == [(ulid(2), False), (ulid(1), True)]


def test_what_is_sent_is_made_at_every_try(make):
    tries: list[tuple[str, bool]] = []

    def finish(entry: OutboxEntry, historical: bool) -> bytes:
        tries.append((entry.id, historical))
        return b"sealed %d" % len(tries)

    world = make(finish=finish)
    world.raise_alert(1)
    world.turn()
    world.clock.advance(400.0)
    world.turn()

    assert tries == [(ulid(1), False), (ulid(1), True)]
    assert [payload for _, _, payload in world.transport.sent] == [b"sealed 1", b"sealed 2"]


def test_what_cannot_be_made_ready_is_parked_and_the_next_goes_on(make):
    def finish(entry: OutboxEntry, historical: bool) -> bytes:
        if entry.id == ulid(1):
            raise ValueError("no key of the agency")
        return entry.payload

    world = make(finish=finish)
    world.raise_alert(1)
    world.raise_alert(2)
    world.turn()

    assert world.transport.sent_ids == [ulid(2)]
    assert world.outbox.parked() == {
        ulid(1): "it cannot be made ready to send: no key of the agency"
    }
    assert world.loop.status.refused == 1
    assert [entry.attempts for entry in world.outbox.pending(1)] == [1]


def test_what_cannot_be_made_ready_yet_pauses(make):
    locked = [RefusedError("the keys are locked: ctl unlock")]

    def finish(entry: OutboxEntry, historical: bool) -> bytes:
        if locked:
            raise locked[0]
        return entry.payload

    world = make(finish=finish)
    world.raise_alert(1)
    assert world.turn() == 0.5
    assert "the keys are locked" in world.loop.status.last_error
    locked.clear()
    world.clock.advance(0.5)
    world.turn()

    assert world.transport.sent_ids == [ulid(1)]
    assert world.outbox.parked() == {}


def test_a_refused_event_can_be_tried_again(make):
    world = make()
    world.raise_alert(1)
    world.turn()
    world.transport.answer(ulid(1), SendResult.REFUSED)
    world.turn()
    assert (world.loop.status.parked, world.loop.status.pending) == (1, 1)

    assert world.loop.unpark() == 1
    world.turn()
    assert world.transport.sent_ids == [ulid(1), ulid(1)]
    assert world.loop.status.parked == 0


def gap_maker(gap: Gap) -> OutboxEntry:
    return gap_entry(gap, CONTEXT, event_id=ulid(500), test=True, now=1_800_000_000.0)


def test_what_was_given_up_is_told_in_one_event_once_connected(make):
    world = make(replace(LIMITS, in_flight=5), bounds=3, make_gap=gap_maker)
    world.transport.cut()
    for number in range(1, 6):
        world.raise_alert(number)
    world.turn()
    assert world.loop.status.given_up == 2
    world.transport.come_up()
    world.turn()

    assert world.transport.sent_ids == [ulid(n) for n in (3, 4, 5, 500)]
    event = GapEvent.model_validate_json(world.transport.sent[3][2])
    assert event.data.events == event.data.by_reason.outbox_full == 2
    assert event.data.first == "2027-01-15T08:00:01.000Z"
    assert world.loop.status.given_up == 0


def test_without_anybody_to_tell_losses_are_still_counted(make):
    world = make(bounds=1)
    for number in (1, 2):
        world.raise_alert(number)
    world.turn()

    assert world.loop.status.given_up == 1
    assert world.transport.sent_ids == [ulid(2)]


def test_a_row_given_up_in_flight_is_forgotten_not_sent_again(make):
    world = make(bounds=2)
    for number in (1, 2):
        world.raise_alert(number)
    world.turn()
    world.raise_alert(3, priority=5)  # the first gives way
    world.clock.advance(3.0)
    world.turn()
    assert world.loop._core.known == {ulid(2), ulid(3)}
    world.transport.answer(ulid(1))
    world.turn()

    assert world.loop.status.delivered == 0


def test_what_expired_is_given_up_and_told(make):
    world = make(replace(LIMITS, expire_s=50.0), make_gap=gap_maker)
    world.transport.cut()
    world.raise_alert(1)
    world.turn()
    world.clock.advance(49.0)
    world.raise_alert(2)
    world.turn()
    assert world.outbox.depth() == 2
    world.clock.advance(1.0)
    world.turn()
    world.clock.advance(1.0)
    world.turn()
    assert world.outbox.depth() == 1
    world.transport.come_up()
    world.turn()

    event = GapEvent.model_validate_json(world.transport.sent[1][2])
    assert event.data.by_reason.expired == 1


def test_upkeep_comes_every_two_seconds(make):
    seen: list[float] = []
    world = make(upkeep=lambda: seen.append(world.clock.now))
    for _ in range(9):
        world.turn()
        world.clock.advance(0.5)
    assert seen == [1000.0, 1002.0, 1004.0]


def test_trouble_with_the_disk_ends_nothing(make):
    def full() -> None:
        raise DiskError("outbox: disk full; free some space")

    world = make(upkeep=full)
    world.raise_alert(1)
    assert world.turn() == 1.0
    assert world.loop.status.last_error == "outbox: disk full; free some space"
    world.clock.advance(1.0)
    world.turn()
    assert world.transport.sent_ids == [ulid(1)]


@pytest.mark.slow
def test_a_day_offline_then_the_backlog_in_order_and_the_live_alert_at_once(make):
    """1,440 alerts, one a minute; then the link, and one alert more after a tenth of them."""
    world = make(replace(HUB, in_flight=20))
    world.transport.cut()
    entries = [an_entry(n, priority=n % 3, at=world.clock.now + 60.0 * n) for n in range(1440)]
    for entry in entries:
        world.outbox.put(entry)
    world.clock.advance(86_400.0 + 600.0)
    world.transport.come_up()
    most, live_at = 0, -1
    answered = 0
    while world.outbox.depth():
        world.turn()
        fresh = world.transport.sent_ids[answered:]
        most = max(most, len(fresh))
        answered += len(fresh)
        for entry_id in fresh:
            world.transport.answer(entry_id)
            world.loop.acknowledged(entry_id)
        if answered >= 140 and live_at < 0:
            live_at = answered
            world.outbox.put(an_entry(5000, priority=0, at=None))

    expected = [entry.id for entry in sorted(entries, key=lambda e: (-e.priority, e.at))]
    sent = world.transport.sent_ids
    assert most <= 20
    assert sent[live_at] == ulid(5000)
    assert sent[:live_at] + sent[live_at + 1 :] == expected
