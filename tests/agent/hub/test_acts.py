"""What is done at the hub is in its log, before and after; cut short in between, that shows."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from typing import Any

import pytest

from agent.errors import DataError, DiskError, RefusedError
from agent.hub.acts import recorded, unfinished
from agent.hub.events_database import FILE, EventsDatabase
from tests.support.hub_lists import Roll, publish
from tests.support.hubs import HubWorld

HASH = {"sha256"}


def log(world: HubWorld) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = world("audit", "show", "--json").json
    return records


def acts(world: HubWorld, what: str) -> list[dict[str, Any]]:
    found = [one["fields"] for one in log(world) if one["kind"] == "act"]
    return [one for one in found if one["what"] == what]


@pytest.fixture
def office(world: HubWorld) -> HubWorld:
    """A hub where everything was done once."""
    world.publish_policy()
    world.camera("CAM-7")
    world.camera("CAM-8")
    grounds = {number: {"basis": "warrant", "purpose": "locate-suspect"} for number in (1, 2, 3)}
    publish(world, Roll([1, 2, 3], fields=grounds), "--valid-days", "0.5")
    world("devices", "assign", "CAM-8", "--list", "wanted")
    world(
        *("authorise", "create", "--id", "W-1", "--type", "warrant", "--list", "wanted"),
        *("--hours", "8", "--role", "magistrate", "--reference", "27/118", "--device", "CAM-7"),
    )
    world("authorise", "revoke", "W-1", "--reason", "quashed")
    world("revoke", "wanted", "--entry", "E-1")
    world("devices", "remove", "CAM-8")
    world("rotate", "timestamp")
    world("revoke", "wanted", "--all")
    world("lists", "drop", "wanted")
    return world


TABLE = [
    ("policy", 1, {"version", "sha256"}),
    ("token", 2, set()),
    ("add-device", 2, HASH),
    ("publish", 1, {"version", "sha256"}),
    ("assign-device", 1, set()),
    ("authorise", 1, {"version", "sha256"}),
    ("revoke-authorisation", 1, HASH),
    ("revoke-entries", 2, {"version", "sha256"}),
    ("remove-device", 1, set()),
    ("rotate", 1, {"version"}),
    ("drop-list", 1, set()),
]


def test_each_act_is_recorded_before_and_after(office: HubWorld) -> None:
    always = {"act", "what", "about", "step", "uid"}
    for what, times, facts in TABLE:
        found = acts(office, what)
        assert [one["step"] for one in found] == ["begun", "done"] * times, what
        assert all(one.keys() == always for one in found[::2]), what
        assert all(one.keys() == always | facts for one in found[1::2]), what
    told = office("audit", "verify", "--json").json
    assert (told["intact"], told["unfinished"]) == (True, [])
    text = (office.folder / "policy.yaml").read_bytes()
    assert acts(office, "policy")[1]["sha256"] == hashlib.sha256(text).hexdigest()
    assert {one["about"] for one in acts(office, "add-device")} == {"CAM-7", "CAM-8"}


def test_nothing_of_a_person_is_in_it(office: HubWorld) -> None:
    """No entry, no subject, no words: not even of who authorised it, and why it ended."""
    said = json.dumps(log(office))
    for word in ("E-1", "S-1", "quashed", "magistrate", "27/118", "wanted"):
        assert word not in said


def test_what_was_refused_is_there_as_failed(world: HubWorld) -> None:
    publish(world, Roll([1]))
    with pytest.raises(RefusedError, match="entries are on it"):
        world("lists", "drop", "wanted")
    assert [one["step"] for one in acts(world, "drop-list")] == ["begun", "failed"]
    assert world("audit", "verify", "--json").json["unfinished"] == []


def test_killed_in_between_it_shows(world: HubWorld) -> None:
    context = world.context()
    act = recorded(context, "publish", "L-1")
    act.__enter__()  # and here the power fails
    told = world("audit", "verify")
    assert "record 0: publish of L-1 began at" in told.out
    assert "did not end" in told.out
    assert world("audit", "verify", "--json").json["unfinished"] == [0]
    with recorded(context, "publish", "L-1"):
        pass
    assert len(unfinished(log(world))) == 1, "a later one does not cover it up"


def break_log(world: HubWorld) -> None:
    with closing(EventsDatabase(world.state_dir / FILE)) as database, database.transaction() as db:
        db.execute("UPDATE chain SET line = replace(line, 'done', 'dome')")


def test_without_a_record_nothing_is_done_but_what_takes_back(world: HubWorld) -> None:
    publish(world, Roll([1, 2]))
    break_log(world)
    before = world.files()
    with pytest.raises(DataError, match="hub's log"):
        publish(world, Roll([1, 2, 3]))
    assert world.files() == before
    told = world("revoke", "wanted", "--entry", "E-1")
    assert "not recorded in the hub's log" in told.err
    assert world.files() != before


def test_a_full_disk_after_the_act_is_said(
    world: HubWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agent.hub import acts as module

    real = module.write_log

    def full(db: Any, kind: str, now: float, **fields: Any) -> None:
        if fields["step"] == "done":
            raise DiskError("no space left")
        real(db, kind, now, **fields)

    monkeypatch.setattr(module, "write_log", full)
    with pytest.raises(DiskError), recorded(world.context(), "publish", "L-1"):
        pass
    assert [one["fields"]["step"] for one in log(world)] == ["begun"]
