"""Several lists, the end of one, and which camera may read which."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.errors import DataError, RefusedError, UsageError
from agent.hub.desk import open_desk
from agent.hub.devices import Devices
from agent.messages.bundle import envelopes_target, manifest_target
from tests.support.hub_lists import Reader, Roll, entries, publish
from tests.support.hubs import Answer, Camera, HubWorld, Killed


def second(world: HubWorld, *words: str, name: str = "folk") -> Answer:
    """`publish folk --new`."""
    vectors, metadata = Roll([7, 8]).write(world.folder, world.now)
    given: list[str | Path] = ["--vectors", vectors, "--metadata", metadata, "--space", "sface"]
    return world("publish", name, *words, *given, "--json")


def named(world: HubWorld) -> set[str]:
    """Targets of the role `lists`, as a camera sees them."""
    with closing(world.open()) as hub:
        return set(hub.repository.targets("lists"))


def test_a_slip_of_the_keyboard_makes_no_second_list(world: HubWorld) -> None:
    Reader(world)
    publish(world, Roll([1, 2]))
    before = named(world)
    with pytest.raises(UsageError, match=r"no list 'wnated'; there are: wanted\. .* add --new"):
        second(world, name="wnated")
    assert named(world) == before
    assert [one["name"] for one in world("lists", "--json").json] == ["wanted"]


def test_a_name_that_was_never_published_is_no_list_to_go_on_with(world: HubWorld) -> None:
    publish(world, Roll([1]))
    with open_desk(world.context()) as desk:  # as by a publication that was refused at its end
        desk.lists.create("folk", now=world.now, randomness=os.urandom)
    with pytest.raises(UsageError, match="there are: wanted"):
        second(world)


def test_a_new_list_is_not_an_old_one(world: HubWorld) -> None:
    publish(world, Roll([1]))
    with pytest.raises(UsageError, match="there is a list wanted already; leave out --new"):
        publish(world, Roll([1]), "--new")


def test_cameras_that_may_read_several_lists_are_named(world: HubWorld) -> None:
    world.camera("CAM-1")
    world.camera("CAM-2")
    assert "several" not in publish(world, Roll([1])).err
    said = second(world, "--new").err
    assert "CAM-1, CAM-2 may read several lists (folk, wanted)" in said
    assert "several lists" in world("lists").err
    assert "several lists" in world("status").out
    both = ["folk", "wanted"]
    several = world("status", "--json").json["several_lists"]
    assert {name: sorted(lists) for name, lists in several.items()} == {
        "CAM-1": both,
        "CAM-2": both,
    }
    for name, one in (("CAM-1", "wanted"), ("CAM-2", "folk")):
        world("devices", "assign", name, "--list", one)
    assert "several" not in publish(world).err


def test_lists_are_listed(world: HubWorld) -> None:
    Reader(world)
    told = publish(world, Roll([1, 2, 3])).json
    (row,) = world("lists", "--json").json
    expected = {key: told[key] for key in ("list", "name", "version", "entries", "not_after")}
    assert row == expected | {"devices": 1}
    assert world("lists").out.splitlines()[1].split()[:4] == ["wanted", told["list"], "1", "3"]


def test_a_list_is_dropped_and_cameras_find_it_withdrawn(world: HubWorld) -> None:
    reader = Reader(world)
    publish(world, Roll([1, 2]))
    folk = second(world, "--new").json["list"]
    with pytest.raises(RefusedError, match="2 entries are on it; first `bodycam-hub revoke folk"):
        world("lists", "drop", "folk")
    assert "bodycam-hub lists drop folk" in world("revoke", "folk", "--all").err
    assert envelopes_target(folk) in named(world)
    world("lists", "drop", "folk")
    assert not {envelopes_target(folk), manifest_target(folk)} & named(world)
    with pytest.raises(DataError, match="not published"):
        reader.read(folk)
    (row,) = world("lists", "--json").json
    assert entries(reader.read(row["list"])) == {"E-1", "E-2"}
    status = world("status", "--json").json
    assert (status["problem"], status["publish"]) == (None, {})
    assert second(world, "--new").json["list"] != folk


def test_a_drop_that_was_killed_is_finished_by_the_next(
    world: HubWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    Reader(world)
    folk = publish(world, Roll([1])).json["list"]
    world("revoke", "wanted", "--all")
    monkeypatch.setattr(Devices, "forget", _die)
    with pytest.raises(Killed):
        world("lists", "drop", "wanted")
    monkeypatch.undo()
    assert envelopes_target(folk) not in named(world)
    world("lists", "drop", "wanted")
    assert world("lists", "--json").json == []


def _die(*_: Any) -> None:
    raise Killed


def test_cameras_of_a_dropped_list_alone_are_named_and_read_no_other(world: HubWorld) -> None:
    publish(world, Roll([1]))
    world.camera("CAM-5", lists=("wanted",))
    world("revoke", "wanted", "--all")
    assert "may read no list but that one: CAM-5" in world("lists", "drop", "wanted").err
    assert publish(world, Roll([1])).json["devices"] == 0


def test_a_camera_that_loses_a_list_cannot_read_its_next_version(world: HubWorld) -> None:
    reader = Reader(world)
    wanted = publish(world, Roll([1, 2])).json["list"]
    folk = second(world, "--new").json["list"]
    reader.read(wanted)
    said = world("devices", "assign", "CAM-1", "--list", "folk")
    assert "publish under new keys: wanted" in said.err
    assert world("status", "--json").json["publish"] == {
        wanted: ["a device that may not any more can still read it"]
    }
    told = publish(world).json
    assert (told["rekeyed"], told["devices"]) == (True, 0)
    with pytest.raises(DataError, match="not for this device"):
        reader.read(wanted)
    assert len(entries(reader.read(folk))) == 2
    assert world("status", "--json").json["publish"] == {}


def test_a_camera_is_given_every_list_again(world: HubWorld) -> None:
    wanted = publish(world, Roll([1])).json["list"]
    second(world, "--new")
    reader = Reader(world)
    world("devices", "assign", "CAM-1", "--list", "folk")
    publish(world)
    said = world("devices", "assign", "CAM-1", "--every-list", "--json").json
    assert said["device"]["lists"] == []
    assert wanted in said["publish"]
    publish(world)
    assert entries(reader.read(wanted)) == {"E-1"}


def test_a_camera_is_assigned_to_lists_that_exist_alone(world: HubWorld) -> None:
    world.camera("CAM-1")
    publish(world, Roll([1]))
    with pytest.raises(UsageError, match="no list 'wnated' on this hub; there are: wanted"):
        world("devices", "assign", "CAM-1", "--list", "wnated")
    with pytest.raises(UsageError, match="no such device"):
        world("devices", "assign", "CAM-9", "--list", "wanted")


def test_the_first_camera_is_told_to_wait_for_lists_that_nobody_read_so_far(
    world: HubWorld,
) -> None:
    wanted = publish(world, Roll([1])).json["list"]
    world.camera("CAM-1")
    waiting = {wanted: ["CAM-1 cannot read it yet"]}
    assert world("status", "--json").json["publish"] == waiting
    assert "publish wanted: CAM-1 cannot read it yet" in world("status").out
    publish(world)
    assert world("status", "--json").json["publish"] == {}


def test_a_camera_assigned_away_while_a_list_is_published_still_counts(world: HubWorld) -> None:
    world.camera("CAM-1")
    with closing(world.open()) as hub:
        key_ids = [device.key_id for device in hub.devices.recipients("L-1")]
        hub.devices.granted("L-1", 1, key_ids)
        assert hub.devices.assign("CAM-1", ("L-2",), now=world.now) == ("L-1",)
        hub.devices.rekeyed("L-1", key_ids)  # published before, noted after
        assert hub.devices.rekey_needed("L-1")


def gone(world: HubWorld) -> None:
    for path in world.state_dir.glob("lists.sqlite*"):
        path.unlink()


def test_a_missing_store_of_lists_is_noticed(world: HubWorld) -> None:
    Reader(world)
    wanted = publish(world, Roll([1, 2])).json["list"]
    before = named(world)
    gone(world)
    for _ in range(2):  # also when a command has made an empty one since
        status = world("status", "--json")
        assert status.code == 65
        assert f"{wanted}, which the public folder names: restore a copy" in status.json["problem"]
        for words in (("revoke", "wanted", "--all"), ("lists",), ("report", "wanted")):
            with pytest.raises(DataError, match=r"lists\.sqlite .*restore a copy"):
                world(*words)
        with pytest.raises(DataError, match="restore a copy"):
            publish(world, Roll([1, 2]))
        with pytest.raises(UsageError, match=f"there are: {wanted}"):
            world("lists", "drop", "L-0123456789abcdef", "--lost")
    assert named(world) == before


def test_an_older_store_of_lists_is_noticed(world: HubWorld) -> None:
    publish(world, Roll([1, 2]))
    copy = (world.state_dir / "lists.sqlite").read_bytes()
    publish(world, Roll([1, 2, 3]))
    gone(world)
    (world.state_dir / "lists.sqlite").write_bytes(copy)
    (world.state_dir / "lists.sqlite").chmod(0o600)
    status = world("status", "--json")
    assert status.code == 65
    assert "lists.sqlite is older than the public folder" in status.json["problem"]
    with pytest.raises(DataError, match=r"is older than the public folder.*restore the newest"):
        publish(world, Roll([1]))


def test_what_a_hub_lost_for_good_is_dropped_and_made_anew(world: HubWorld) -> None:
    reader = Reader(world)
    lost = publish(world, Roll([1, 2])).json["list"]
    gone(world)
    world("lists", "drop", lost, "--lost")
    assert named(world) == set()
    fresh = publish(world, Roll([1, 2])).json["list"]
    assert entries(reader.read(fresh)) == {"E-1", "E-2"}
    assert world("status", "--json").json["problem"] is None


def test_a_list_that_is_known_is_not_lost(world: HubWorld) -> None:
    wanted = publish(world, Roll([1])).json["list"]
    with pytest.raises(UsageError, match="not a list that the hub lost; there are: none"):
        world("lists", "drop", wanted, "--lost")


def test_a_camera_registered_for_a_list_that_is_not_there_is_warned_of(world: HubWorld) -> None:
    publish(world, Roll([1]))
    file = world.token("CAM-1", unlock="device")
    request = Camera(world.folder / "keys", file).write(world.folder / "r")
    said = world("devices", "add", request, "--list", "wnated").err
    assert "no list 'wnated' on this hub; there are: wanted" in said
