from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from agent.errors import DataError, UsageError
from agent.hub.hub import Hub, open_hub
from tests.support.hub_lists import Roll, publish
from tests.support.hubs import HubWorld, Killed, MortalDisk, secret


def names(hub: Hub, list_id: str) -> list[str]:
    return [device.name for device in hub.devices.recipients(list_id)]


def published(hub: Hub, list_id: str, version: int = 1, *, rekeyed: bool = False) -> None:
    """As the command that publishes a list does."""
    key_ids = [device.key_id for device in hub.devices.recipients(list_id)]
    hub.devices.granted(list_id, version, key_ids)
    if rekeyed:
        hub.devices.rekeyed(list_id, key_ids)


def test_every_device_reads_every_list_unless_told_otherwise(world: HubWorld) -> None:
    world.camera("CAM-2")
    world.camera("CAM-1", lists=("L-1", "L-2"))
    with closing(world.open()) as hub:
        assert names(hub, "L-1") == ["CAM-1", "CAM-2"]
        assert names(hub, "L-3") == ["CAM-2"]


def test_a_list_for_a_new_device_has_to_be_published_again(world: HubWorld) -> None:
    world.camera("CAM-1")
    with closing(world.open()) as hub:
        published(hub, "L-1")
        assert hub.devices.waiting() == {}
    world.camera("CAM-2")
    with closing(world.open()) as hub:
        assert hub.devices.waiting() == {"L-1": ("CAM-2 cannot read it yet",)}
        assert not hub.devices.rekey_needed("L-1")
        published(hub, "L-1", 2)
        assert hub.devices.waiting() == {}


def test_a_removed_device_is_no_recipient_and_what_it_read_must_be_rekeyed(
    world: HubWorld,
) -> None:
    for name in ("CAM-1", "CAM-2"):
        world.camera(name)
    with closing(world.open()) as hub:
        published(hub, "L-1")
        published(hub, "L-2")
    said = world("devices", "remove", "CAM-1")
    assert said.err == "it can still read what it has; publish under new keys: L-1, L-2\n"
    with closing(world.open()) as hub:
        assert names(hub, "L-1") == ["CAM-2"]
        assert hub.devices.rekey_needed("L-1")
        assert hub.devices.rekey_needed("L-2")
        assert not hub.devices.rekey_needed("L-3")
        assert hub.devices.waiting()["L-1"] == ("a device that may not any more can still read it",)


def test_only_new_keys_end_the_need_for_new_keys(world: HubWorld) -> None:
    for name in ("CAM-1", "CAM-2"):
        world.camera(name)
    with closing(world.open()) as hub:
        published(hub, "L-1")
        hub.devices.remove("CAM-1", now=world.now)
        published(hub, "L-1", 2)
        assert hub.devices.rekey_needed("L-1")
        published(hub, "L-1", 3, rekeyed=True)
        assert not hub.devices.rekey_needed("L-1")
        assert hub.devices.waiting() == {}


def test_a_device_removed_while_a_list_is_published_still_counts(world: HubWorld) -> None:
    for name in ("CAM-1", "CAM-2"):
        world.camera(name)
    with closing(world.open()) as hub:
        key_ids = [device.key_id for device in hub.devices.recipients("L-1")]
        hub.devices.granted("L-1", 1, key_ids)
        hub.devices.remove("CAM-1", now=world.now)
        hub.devices.rekeyed("L-1", key_ids)  # published before, noted after
        assert hub.devices.rekey_needed("L-1")


def test_a_grant_that_was_never_published_errs_on_the_safe_side(world: HubWorld) -> None:
    world.camera("CAM-1")
    with closing(world.open()) as hub:
        published(hub, "L-1")  # and killed before the list was published
        assert hub.devices.remove("CAM-1", now=world.now) == ("L-1",)


def test_a_revoked_list_needs_nothing(world: HubWorld) -> None:
    world.camera("CAM-1")
    with closing(world.open()) as hub:
        published(hub, "L-1")
        hub.devices.forget("L-1")
        assert hub.devices.remove("CAM-1", now=world.now) == ()
        assert hub.devices.waiting() == {}


def test_a_device_removed_and_provisioned_anew_has_another_key(world: HubWorld) -> None:
    old = world.camera("CAM-1")
    with closing(world.open()) as hub:
        published(hub, "L-1")
    world("devices", "remove", "CAM-1")
    (world.folder / "CAM-1.keys").rename(world.folder / "old.keys")
    new = world.camera("CAM-1")
    with closing(world.open()) as hub:
        (device,) = hub.devices.recipients("L-1")
        assert device.key_id == new.identity.key_id != old.identity.key_id
        assert hub.devices.waiting()["L-1"] == (
            "CAM-1 cannot read it yet",
            "a device that may not any more can still read it",
        )


def test_a_removed_device_leaves_no_store_key_in_the_files_of_the_hub(world: HubWorld) -> None:
    world.camera("CAM-1")
    with closing(world.open()) as hub:
        sealed = hub.devices.get("CAM-1").store_key
        assert sealed is not None
    database = world.state_dir / "hub.sqlite"
    assert sealed in database.read_bytes()
    with closing(sqlite3.connect(database)):  # a reader, so that the log outlives the command
        world("devices", "remove", "CAM-1")
        held = [path.read_bytes() for path in world.state_dir.glob("hub.sqlite*")]
    assert all(sealed not in data for data in held)


def test_a_device_that_is_not_there(world: HubWorld) -> None:
    for action in ("show", "remove"):
        with pytest.raises(UsageError, match="no such device: CAM-9"):
            world("devices", action, "CAM-9")


def test_what_is_said_about_devices(world: HubWorld) -> None:
    camera = world.camera("CAM-1", lists=("L-1",))
    (row,) = world("devices", "list", "--json").json
    assert row["name"] == "CAM-1"
    assert row["key_id"] == camera.identity.key_id
    assert row["lists"] == ["L-1"]
    assert row["unlock"] == "hub"
    assert world("devices", "show", "CAM-1", "--json").json == row
    assert "CAM-1" in world("devices", "list").out
    assert camera.identity.key_id in world("devices", "show", "CAM-1").out


def copy_of(world: HubWorld) -> bytes:
    return (world.state_dir / "hub.sqlite").read_bytes()


def put_back(world: HubWorld, copy: bytes) -> None:
    for path in world.state_dir.glob("hub.sqlite*"):
        path.unlink()
    secret(world.state_dir / "hub.sqlite", "").write_bytes(copy)


def test_an_older_register_lets_nobody_in_again_unnoticed(world: HubWorld) -> None:
    for name in ("CAM-1", "CAM-2"):
        world.camera(name)
    publish(world, Roll([1]))
    copy = copy_of(world)
    world("devices", "remove", "CAM-1")
    assert publish(world).json["devices"] == 1
    put_back(world, copy)
    before = world.files()
    status = world("status", "--json")
    assert status.code == 65
    assert "hub.sqlite is an older copy" in status.json["problem"]
    assert "is an older copy" in world("devices", "list").err
    for words in (
        ("publish", "wanted"),
        ("revoke", "wanted", "--all"),
        ("devices", "remove", "CAM-1"),
        ("devices", "token", "CAM-3", "--out", world.folder / "CAM-3.json"),
    ):
        with pytest.raises(DataError, match=r"older copy.*Restore the newest.*accept-older"):
            world(*words)
    assert world.files() == before


def test_an_older_register_is_taken_knowingly(world: HubWorld) -> None:
    for name in ("CAM-1", "CAM-2"):
        world.camera(name)
    publish(world, Roll([1]))
    copy = copy_of(world)
    world("devices", "remove", "CAM-1")
    put_back(world, copy)
    assert world("devices", "accept-older", "--json").json == {"devices": ["CAM-1", "CAM-2"]}
    world("devices", "remove", "CAM-1")
    told = publish(world).json
    assert (told["devices"], told["rekeyed"]) == (1, True)
    assert world("status", "--json").json["problem"] is None
    with pytest.raises(UsageError, match="no older copy"):
        world("devices", "accept-older")


def test_a_camera_obeys_after_an_older_register_was_taken(world: HubWorld) -> None:
    """Numbers of commands that the copy knows nothing of are not given out again."""
    world.camera("CAM-1")
    copy = copy_of(world)
    words = ("command", "CAM-1", "sync", "--out", world.folder / "command.json", "--json")
    given = [world(*words).json["counter"] for _ in range(3)]
    world.camera("CAM-2")
    put_back(world, copy)
    world("devices", "accept-older")
    assert world(*words).json["counter"] > max(given)


def test_every_change_of_the_register_makes_copies_older(world: HubWorld) -> None:
    publish(world, Roll([1]))
    copies = [copy_of(world)]
    world.camera("CAM-1")
    copies.append(copy_of(world))
    world("devices", "assign", "CAM-1", "--list", "wanted")
    copies.append(copy_of(world))
    world("devices", "remove", "CAM-1")
    newest = copy_of(world)
    for copy in copies:
        put_back(world, copy)
        assert "older copy" in world("status", "--json").json["problem"]
    put_back(world, newest)
    assert world("status", "--json").json["problem"] is None


def test_a_kill_between_register_and_number_is_no_older_copy(world: HubWorld) -> None:
    context = replace(world.context(), disk=MortalDisk(0))
    world.camera("CAM-1")
    with closing(open_hub(context)) as hub, pytest.raises(Killed):
        hub.devices.remove("CAM-1", now=world.now)
    assert world("devices", "list", "--json").json == []
    assert world("status", "--json").json["problem"] is None


def test_an_older_register_is_noticed_by_what_is_published_too(world: HubWorld) -> None:
    """Where the number beside it was put back with it."""
    world.camera("CAM-1")
    publish(world, Roll([1]))
    mark = world.state_dir / "hub.generation"
    copy, number = copy_of(world), mark.read_bytes()
    world("devices", "remove", "CAM-1")
    for _ in range(2):
        publish(world)
    put_back(world, copy)
    mark.write_bytes(number)
    assert "hub.sqlite is an older copy" in world("status", "--json").json["problem"]
    with pytest.raises(DataError, match="older copy"):
        publish(world)
    assert "older copy" in world("devices", "accept-older").err
    assert world("status", "--json").json["problem"] is None
