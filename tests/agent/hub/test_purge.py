"""Retention: what goes, what stays, and that nothing comes back."""

from __future__ import annotations

import json

import pytest

from agent.errors import DataError, MissingFileError, RefusedError, UsageError
from agent.hub.chain import log_lines
from agent.hub.station import open_station
from tests.support.casework import Casework
from tests.support.field_cameras import FieldCamera, hub_station
from tests.support.hubs import DAY_S


@pytest.fixture
def work(world):
    return Casework(world, FieldCamera(world))


def remaining(world) -> list[str]:
    with hub_station(world) as hub:
        return [row[0] for row in hub.rows("SELECT id FROM event WHERE purged IS NULL")]


def test_what_is_too_old_goes(world, work) -> None:
    old = work.alert()
    world.clock.advance(31 * DAY_S)
    young = work.alert()
    assert world("purge", "--older-than", "30", "--dry-run", "--json").json == {
        "dry_run": True,
        "events": 1,
        "reviews": 0,
        "held": 0,
    }
    assert remaining(world) == [old.id, young.id]
    assert world("purge", "--older-than", "30").out == ("deleted 1 events with 0 reviews; 0 held\n")
    assert remaining(world) == [young.id]
    with pytest.raises(MissingFileError, match="was purged"):
        world("review", "show", old.id)
    with pytest.raises(MissingFileError, match="was purged"):
        world("export", old.id, "--out", world.folder / "x")


def test_a_revoked_authorisation_takes_its_events_and_reviews_with_it(world, work) -> None:
    work.reviewer("ann")
    gone, stays = work.alert(authorisation="W-9"), work.alert(authorisation="W-8")
    gap = work.arrive(work.camera.gap())
    with work.book() as book:
        work.decide(book, gone, "ann", "confirmed")
        work.decide(book, stays, "ann", "confirmed")
    assert world("purge", "--authorisation", "W-9", "--json").json["reviews"] == 1
    assert remaining(world) == [stays.id, gap.id]
    with hub_station(world) as hub:
        assert hub.rows("SELECT count(*) FROM review") == [(1,)]
        assert hub.rows("SELECT count(*) FROM ack") == [(2,)]


def test_what_is_held_stays_with_all_that_belongs_to_it(world, work) -> None:
    first = work.alert()
    updates = [work.alert(match=first.id) for _ in range(2)]
    other = work.alert()
    world("purge", "--hold", updates[0].id, "--reason", "case 17")
    world.clock.advance(DAY_S)
    assert world("purge", "--older-than", "0", "--json").json["held"] == 3
    assert remaining(world) == [first.id, *(one.id for one in updates)]
    world("purge", "--release", updates[0].id)
    assert world("purge", "--older-than", "0", "--json").json["events"] == 3
    assert remaining(world) == []
    with pytest.raises(RefusedError, match="was purged"):
        world("purge", "--hold", other.id, "--reason", "too late")


def test_what_was_purged_does_not_come_back_and_is_acknowledged(world, work) -> None:
    event = work.camera.event()
    payload = work.camera.sealed(event)
    with hub_station(world) as hub:
        hub.take(work.camera.message(payload))
    world.clock.advance(DAY_S)
    world("purge", "--older-than", "0")
    with hub_station(world) as hub:
        taken = hub.take(work.camera.message(payload))
        assert (taken.stored, taken.again, len(taken.answers)) == ([], 1, 1)
        assert hub.rows("SELECT count(*) FROM event WHERE payload NOTNULL") == [(0,)]


def test_nothing_of_it_stays_on_disk(world, work) -> None:
    stored = work.alert()
    with hub_station(world) as hub:
        ((payload, opened),) = hub.rows("SELECT payload, opened FROM event")
    assert stored.payload not in payload, "it is locked, though it is sealed already"
    needles = (payload[200:260], opened[40:80])

    def on_disk() -> list[bool]:
        disk = b"".join(one.read_bytes() for one in world.state_dir.glob("events.sqlite*"))
        return [one in disk for one in needles]

    assert on_disk() == [True, True]  # the control
    world.clock.advance(DAY_S)
    world("purge", "--older-than", "0")
    assert on_disk() == [False, False]


def test_a_copy_made_before_tells_nothing_once_the_authorisation_has_no_event_left(
    world, work
) -> None:
    gone, stays = work.alert(authorisation="W-9"), work.alert(authorisation="W-8")
    events = world.state_dir / "events.sqlite"
    copy = events.read_bytes()
    shown = world("review", "show", gone.id, "--json").json
    assert shown["event"]["data"]["authorisation"] == "W-9", "the control"
    world.clock.advance(DAY_S)
    world("purge", "--authorisation", "W-9")
    events.write_bytes(copy)
    for name in ("events.sqlite-wal", "events.sqlite-shm"):
        (world.state_dir / name).unlink(missing_ok=True)
    for words in (("review", "show", gone.id), ("export", gone.id, "--out", world.folder / "x")):
        with pytest.raises(MissingFileError, match="was destroyed"):
            world(*words)
    with hub_station(world) as hub:
        assert hub.station.store.get(stays.id).payload == stays.payload
        (lock,) = hub.rows("SELECT opened FROM event WHERE id = ?", gone.id)
        with pytest.raises(DataError):
            hub.station.store.vault.unlock(lock[0], f"event/{gone.device_key}/{gone.id}")


def test_a_key_stays_while_anything_of_its_authorisation_does(world, work) -> None:
    old = work.alert()
    world.clock.advance(31 * DAY_S)
    young = work.alert()
    world("purge", "--older-than", "30")
    with hub_station(world) as hub:
        assert hub.station.store.get(young.id).payload == young.payload
        assert len(hub.station.store.keys.read("SELECT mark FROM key")) == 1
    world("purge", "--older-than", "0", "--dry-run")
    world.clock.advance(DAY_S)
    world("purge", "--older-than", "0")
    with hub_station(world) as hub:
        assert hub.station.store.keys.read("SELECT mark FROM key") == []
        assert not hub.take(work.camera.message(old.payload)).stored


def test_what_was_kept_before_there_were_such_keys_is_read_and_purged(world, work) -> None:
    stored = work.alert()
    with hub_station(world) as hub:
        store = hub.station.store
        about = f"event/{stored.device_key}/{stored.id}"
        opened = store.vault.lock(json.dumps(store.opened(stored)).encode(), about)
        with store.database.transaction() as db:
            change = "UPDATE event SET keyed = 0, payload = ?, opened = ?"
            db.execute(change, (stored.payload, opened))
        assert store.forget_keys() == 1
        old = store.get(stored.id)
        assert old.payload == stored.payload
        assert store.opened(old)["id"] == stored.id
    world.clock.advance(DAY_S)
    assert world("purge", "--older-than", "0", "--json").json["events"] == 1
    assert remaining(world) == []


def test_all_of_it_is_in_the_log(world, work) -> None:
    stored = work.alert()
    with hub_station(world) as hub:
        hub.take(work.camera.message(b"x"))
    world("purge", "--hold", stored.id, "--reason", "case 17")
    world("purge", "--authorisation", "A-1")
    told = world("purge", "--log", "--json").json
    assert [(one["what"], one["detail"]) for one in told["log"]] == [
        ("hold", f"device CAM-7, event {stored.id}, reason case 17"),
        ("purge", "authorisation A-1, events 0, held 1, reviews 0"),
    ]
    assert [(one["why"], one["device"], one["count"]) for one in told["refused"]] == [
        ("malformed", "CAM-7", 1)
    ]
    assert "case 17" in world("purge", "--log").out


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--older-than", "-1"),
        ("--older-than", "nan"),
        ("--hold", "x"),
        ("--hold", "x", "--reason", "a\nb"),
        ("--hold", "x", "--reason", "y", "--older-than", "1"),
    ],
)
def test_usage(world, work, words) -> None:
    with pytest.raises(UsageError):
        world("purge", *words)


def under(world, name: str) -> None:
    """A policy is published."""
    world.publish_policy(name, "--days", "300")


def test_what_is_revoked_takes_what_was_found_under_it_and_what_comes_late(world, work) -> None:
    armed, sake = work.alert(armed_under="W-9"), work.alert(authorisation="W-9")
    stays = work.alert(armed_under="W-8")
    told = world("authorise", "revoke", "W-9", "--json").json
    assert (told["events"], told["held"]) == (2, 0)
    late = work.camera.event(work.camera.alert(armed_under="W-9"))
    with hub_station(world) as hub:
        taken = hub.take(work.camera.message(work.camera.sealed(late)))
    assert not taken.stored  # it is not shown to anybody,
    assert taken.answers  # and acknowledged all the same
    assert remaining(world) == [stays.id]
    with hub_station(world) as hub:
        kept = hub.rows("SELECT count(*), total(length(payload)) FROM event WHERE purged NOTNULL")
    assert kept == [(3, 0.0)]
    assert {armed.id, sake.id}.isdisjoint(remaining(world))


def test_retention_is_the_policys(world, work) -> None:
    under(world, "eu-ai-act")
    old = work.alert()
    world.clock.advance(6 * DAY_S)
    young = work.alert()
    assert world("purge", "--retention", "--json").json["events"] == 0
    world.clock.advance(1.1 * DAY_S)
    assert world("purge", "--retention", "--json").json["events"] == 1
    assert remaining(world) == [young.id]
    assert old.id != young.id
    with pytest.raises(UsageError, match="both say how old"):
        world("purge", "--retention", "--older-than", "3")


def test_the_receiver_keeps_to_the_policy_by_itself(world, work) -> None:
    under(world, "eu-ai-act")
    held = work.alert()
    world("purge", "--hold", held.id, "--reason", "case 17")
    work.alert()
    world.clock.advance(6 * DAY_S)
    young = work.alert()
    with open_station(world.context()) as station:
        assert station.retain(now=world.now) == ""
        said = len(log_lines(station.database))
        assert station.retain(now=world.now + 1.1 * DAY_S) == "deleted 1 events older than 7 days"
        assert len(log_lines(station.database)) == said + 1
        assert station.retain(now=world.now + 1.2 * DAY_S) == ""
    assert remaining(world) == [held.id, young.id]


def test_as_many_reviewers_as_the_policy_says_whatever_the_rule(world, work) -> None:
    assert world("reviewers", "rule", "--json").json == {"confirmations_needed": 1}
    under(world, "eu-ai-act")
    assert world("reviewers", "rule", "--json").json == {"confirmations_needed": 2}
    with pytest.raises(RefusedError, match="asks for two reviewers"):
        world("reviewers", "rule", "--two-person", "off")
