"""What became of alerts, in counts, also of those that were purged since."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from agent.errors import UsageError
from agent.messages import iso_utc
from tests.support.casework import Casework
from tests.support.field_cameras import FieldCamera, hub_station
from tests.support.hubs import DAY_S


@pytest.fixture
def work(world):
    work = Casework(world, FieldCamera(world))
    work.enrol()
    work.reviewer("ann")
    return work


def day(world, days: float = 0.0) -> str:
    moment = datetime.fromtimestamp(world.now + days * DAY_S, tz=timezone.utc)
    return moment.strftime("%Y-%m-%d")


def days(world) -> tuple[str, ...]:
    return ("--from", day(world, -2), "--to", day(world, 2))


def told(world, *words):
    return world("report", "--events", *days(world), *words, "--json").json


def test_alerts_and_decisions_by_day(world, work) -> None:
    first, second = work.alert(), work.alert()
    world.clock.advance(DAY_S)
    work.alert()
    work.arrive(work.camera.event(work.camera.alert(match=first.id), evidence=None))
    with hub_station(world) as hub:
        hub.take(work.camera.message(work.camera.sealed(work.camera.gap(time=iso_utc(world.now)))))
        hub.take(work.camera.message(b"no event"))
    with work.book() as book:
        work.decide(book, first, "ann", "rejected")
        work.decide(book, second, "ann", "confirmed")
    found = told(world)
    assert (found["alerts"], found["updates"], found["gaps"]) == (3, 1, 1)
    assert (found["confirmed"], found["rejected"], found["pending"]) == (1, 1, 1)
    assert found["by_day"] == [
        {"day": day(world, -1), "alerts": 2, "confirmed": 1, "rejected": 1},
        {"day": day(world), "alerts": 1, "confirmed": 0, "rejected": 0},
    ]
    assert found["refused"] == {"malformed": 1}
    shown = world("audit", "verify", "--json").json
    assert (found["log_head"], found["log_records"]) == (shown["head"], shown["records"])


def test_decisions_outlive_a_purge_and_a_change_of_mind_counts(world, work) -> None:
    stored = work.alert()
    with work.book() as book:
        work.decide(book, stored, "ann", "rejected")
        work.decide(book, stored, "ann", "confirmed")
    world.clock.advance(100.0)
    world("purge", "--older-than", "0")
    found = told(world)
    assert (found["alerts"], found["confirmed"], found["purged"]) == (1, 1, 1)
    assert (found["pending"], found["lapsed"]) == (0, 0)


def test_what_was_purged_waits_for_no_review(world, work) -> None:
    work.alert()
    world.clock.advance(100.0)
    world("purge", "--older-than", "0")
    work.alert()
    found = told(world)
    assert (found["alerts"], found["pending"], found["lapsed"], found["purged"]) == (2, 1, 1, 1)
    assert len(world("review", "list", "--json").json) == found["pending"]


def test_of_one_camera_and_of_other_days(world, work) -> None:
    work.alert()
    eight = FieldCamera(world, "CAM-8")
    assert told(world, "--device", "CAM-7")["alerts"] == 1
    assert told(world, "--device", eight.name)["alerts"] == 0
    words = ("--from", day(world, 10), "--to", day(world, 20), "--json")
    assert world("report", "--events", *words).json["alerts"] == 0
    with pytest.raises(UsageError, match="no such device"):
        told(world, "--device", "CAM-9")
    with pytest.raises(UsageError, match="give --from DAY and --to DAY"):
        world("report", "--events")
    with pytest.raises(UsageError, match="LIST, or --events"):
        world("report")


def test_nothing_in_it_stands_for_a_person(world, work) -> None:
    stored = work.alert()
    with work.book() as book:
        work.decide(book, stored, "ann", "rejected")
    words = ("report", "--events", *days(world))
    text = world(*words, "--json").out + world(*words).out
    assert '"rejected": 1' in text
    for word in (stored.id, "ann", "E-1", "S-1", "A-1", "ears"):
        assert word not in text
