from __future__ import annotations

import os

import pytest

from agent.errors import MissingFileError, RefusedError
from agent.hub.desk import open_desk
from tests.support.hub_lists import Reader, Roll, publish
from tests.support.hubs import DAY_S, HubWorld


def test_an_auditor_sees_what_the_list_is_made_of(world: HubWorld) -> None:
    Reader(world)
    publish(world, Roll([1, 2, 3, 4], days={1: 0.5, 2: 3, 3: 40, 4: 400}))
    world.clock.advance(0.1 * DAY_S)
    publish(world, Roll([5]), "--remove", "E-2", how="--change-vectors")
    told = world("report", "wanted", "--json").json
    assert (told["version"], told["entries"], told["subjects"], told["templates"]) == (2, 4, 4, 4)
    assert told["by_basis"] == {"consent": {"entries": 4, "templates": 4}}
    assert told["by_authorisation"] == {
        "A-0": {"entries": 1, "templates": 1},
        "A-1": {"entries": 2, "templates": 2},
        "A-2": {"entries": 1, "templates": 1},
    }
    assert told["by_embedder"] == {"e" * 64: 4}
    assert told["recipients"] == 1
    counts = [(one["version"], one["added"], one["removed"]) for one in told["versions"]]
    assert counts == [(1, 4, 0), (2, 1, 1)]
    assert len(told["versions"][1]["keys"][0]) == 64


def test_age_and_time_left_are_counted(world: HubWorld) -> None:
    publish(world, Roll([1, 2, 3], days={1: 2, 2: 9, 3: 400}))
    world.clock.advance(1.5 * DAY_S)
    publish(world, Roll([4], days={4: 0.5}), how="--change-vectors")
    told = world("report", "wanted", "--json").json
    age, left = told["by_days_on_the_list"], told["by_days_left"]
    assert (age["0 to 1"], age["1 to 7"]) == (1, 3)
    assert (left["0 to 1"], left["7 to 31"], left["366 and more"]) == (2, 1, 1)
    publish(world, None, "--compact", "--rekey")  # new shards, and the entries are as old as before
    again = world("report", "wanted", "--json").json
    assert again["by_days_on_the_list"] == age


def test_nothing_of_a_person_unless_asked_for(world: HubWorld) -> None:
    publish(world, Roll([101, 102]))
    for words in (("report", "wanted"), ("report", "wanted", "--json")):
        said = world(*words).out
        assert "E-101" not in said
        assert "S-101" not in said
    shown = world("report", "wanted", "--entries").out
    assert "E-101" in shown
    assert "S-102" in shown


def test_a_revocation_is_in_the_history(world: HubWorld) -> None:
    publish(world, Roll([1, 2]))
    world("revoke", "wanted", "--all")
    told = world("report", "wanted", "--json").json
    assert told["entries"] == 0
    assert [one["command"] for one in told["versions"]] == ["publish", "revoke"]
    assert "revoke: 0 added, 2 removed" in world("report", "wanted").out


def test_a_list_that_was_never_published(world: HubWorld) -> None:
    with pytest.raises(RefusedError):
        publish(world, Roll([1], fields={1: {"basis": "curiosity"}}))
    with pytest.raises(MissingFileError, match="there are: none yet"):
        world("report", "wanted")
    with open_desk(world.context()) as desk:  # as by a publication that was refused at its end
        desk.lists.create("wanted", now=world.now, randomness=os.urandom)
    told = world("report", "wanted", "--json").json
    assert (told["version"], told["entries"], told["not_after"]) == (0, 0, None)
    assert "entries: 0" in world("report", "wanted").out
