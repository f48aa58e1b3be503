from __future__ import annotations

import os
import shutil
import time
from contextlib import closing
from pathlib import Path

import pytest
from tuf.api.exceptions import ExpiredMetadataError

from agent.errors import DataError, MissingFileError, RefusedError
from agent.hub.files import locked
from tests.support.hubs import DAY_S, HubWorld, Killed, MortalDisk

OLD = {"lists/L-1.manifest": b"old manifest", "lists/a.shard": b"old shard"}
NEW = {"lists/L-1.manifest": b"new manifest", "lists/b.shard": b"new shard"}


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_published_reaches_a_device(world: HubWorld) -> None:
    world.publish(OLD)
    assert world.client().look(*OLD) == OLD


def test_target_files_are_named_by_their_hash(world: HubWorld) -> None:
    world.publish({"lists/a.shard": b"x"})
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert (world.public / f"targets/lists/{digest}.a.shard").read_bytes() == b"x"


def test_a_list_is_published_without_any_offline_key(world: HubWorld) -> None:
    shutil.rmtree(world.state_dir / "keys/offline")
    world.publish(OLD)
    assert world.client().look(*OLD) == OLD


def test_a_device_follows_changes_and_removals(world: HubWorld) -> None:
    client = world.client()
    world.publish(OLD)
    client.look()
    with closing(world.open()) as hub:
        hub.repository.stage("lists", NEW)
        hub.repository.remove("lists", ["lists/a.shard", "lists/never-was.shard"])
        done = hub.repository.publish(world.now)
    assert done.versions["lists"] == 3
    assert done.written == 2
    assert client.look(*NEW, "lists/a.shard") == NEW | {"lists/a.shard": None}


def test_content_may_come_from_files(world: HubWorld, tmp_path: Path) -> None:
    source = tmp_path / "shard"
    source.write_bytes(b"from a file")
    with closing(world.open()) as hub:
        hub.repository.stage("lists", {"lists/a.shard": source})
        hub.repository.publish(world.now)
        assert hub.repository.read_target("lists/a.shard") == b"from a file"


def test_what_is_staged_survives_a_refresh_by_the_timer(world: HubWorld) -> None:
    with closing(world.open()) as hub:
        hub.repository.stage("lists", OLD)
        world("refresh")
        hub.repository.publish(world.now)
    assert world.client().look(*OLD) == OLD


WRITES = 5
"""Two targets, then lists, snapshot and timestamp."""


@pytest.mark.parametrize(
    "half",
    [pytest.param(False, id="before"), pytest.param(True, id="half", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("lives", range(WRITES))
def test_killed_at_any_write_devices_still_see_the_old_list(
    world: HubWorld, lives: int, half: bool
) -> None:
    world.publish(OLD)
    before = tree(world.public)
    with pytest.raises(Killed):
        world.publish(NEW, disk=MortalDisk(lives, half=half))
    assert before.items() <= tree(world.public).items()
    assert world.client("before").look(*NEW) == {
        "lists/L-1.manifest": b"old manifest",
        "lists/b.shard": None,
    }
    world.publish(NEW)
    assert world.client("after").look(*NEW) == NEW
    assert not list(world.public.rglob(".*.new"))


def test_the_timestamp_is_the_last_write_and_makes_the_list_the_new_one(world: HubWorld) -> None:
    world.publish(OLD)
    world.publish(NEW, disk=MortalDisk(WRITES))
    assert world.client().look(*NEW) == NEW


def test_replaced_files_stay_for_the_grace_time_and_then_go(world: HubWorld) -> None:
    world.publish(OLD)
    old = list(world.public.rglob("*.a.shard"))
    world.clock.advance(30 * 60)
    with closing(world.open()) as hub:
        hub.repository.remove("lists", ["lists/a.shard"])
        assert hub.repository.publish(world.now).removed == 0
    world.clock.advance(DAY_S - 1)
    world("refresh")
    assert old[0].exists()
    world.clock.advance(1)
    world("refresh")
    assert not old[0].exists()
    assert not (world.public / "metadata/1.snapshot.json").exists()
    assert (world.public / "metadata/1.root.json").exists()


def test_an_expired_timestamp_is_refused_by_devices_until_the_hub_signs_again(
    world: HubWorld,
) -> None:
    world.clock.wall_now -= 2 * DAY_S
    world.publish(OLD)
    with pytest.raises(ExpiredMetadataError):
        world.client("then").look()
    world.clock.wall_now += 2 * DAY_S
    world("refresh")
    assert world.client("now").look(*OLD) == OLD


@pytest.mark.parametrize("role", ["lists", "snapshot", "timestamp"])
def test_without_a_key_nothing_changes(world: HubWorld, role: str) -> None:
    (gone,) = world.key_files(role)
    gone.unlink()
    before = tree(world.public)
    with pytest.raises(MissingFileError, match=f"{role} needs 1 of 1 keys.*{gone.name}"):
        world.publish(OLD)
    assert tree(world.public) == before


def test_with_a_key_that_others_may_read_nothing_changes(world: HubWorld) -> None:
    (key,) = world.key_files("lists")
    key.chmod(0o640)
    before = tree(world.public)
    with pytest.raises(RefusedError, match="chmod 600"):
        world.publish(OLD)
    assert tree(world.public) == before


def test_policy_needs_both_of_its_people(world: HubWorld) -> None:
    first, _ = world.key_files("policy")
    first.unlink()
    with closing(world.open()) as hub:
        hub.repository.stage("policy", {"policy/p.json": b"{}"})
        with pytest.raises(MissingFileError, match="policy needs 2 of 2 keys and 1 is there"):
            hub.repository.publish(world.now)


def test_a_key_file_with_the_wrong_key_in_it_is_not_used(world: HubWorld) -> None:
    (lists,), (commands,) = world.key_files("lists"), world.key_files("commands")
    lists.write_bytes(commands.read_bytes())
    with pytest.raises(DataError, match="another key than its name says"):
        world.publish(OLD)


@pytest.mark.parametrize(
    "path", ["policy/x", "lists/../x", "lists/a/b", "lists/.hidden", "lists/", "lists/a\n", "x"]
)
def test_a_role_signs_only_in_its_own_folder(world: HubWorld, path: str) -> None:
    with closing(world.open()) as hub, pytest.raises(ValueError, match=r"sign|name for a target"):
        hub.repository.stage("lists", {path: b""})


def test_metadata_changed_behind_the_hub_is_noticed(world: HubWorld) -> None:
    world.publish(OLD)
    path = world.public / "metadata/2.lists.json"
    path.write_bytes(path.read_bytes().replace(b"L-1.manifest", b"L-9.manifest"))
    with pytest.raises(DataError, match="does not verify"):
        world.publish(NEW)


def test_an_older_copy_put_back_is_noticed(world: HubWorld, tmp_path: Path) -> None:
    shutil.copytree(world.public, tmp_path / "copy")
    world.publish(OLD)
    shutil.rmtree(world.public)
    shutil.copytree(tmp_path / "copy", world.public)
    with pytest.raises(DataError, match="timestamp is version 1, but 2 was published"):
        world.publish(NEW)


def test_a_target_changed_behind_the_hub_is_not_read(world: HubWorld) -> None:
    world.publish(OLD)
    (path,) = world.public.rglob("*.a.shard")
    path.write_bytes(b"old shar?")
    with closing(world.open()) as hub, pytest.raises(DataError, match="does not verify"):
        hub.repository.read_target("lists/a.shard")
    with closing(world.open()) as hub, pytest.raises(MissingFileError, match="not published"):
        hub.repository.read_target("root/a.shard")


def test_a_damaged_target_is_written_again_by_the_next_publish_of_it(world: HubWorld) -> None:
    world.publish(OLD)
    (path,) = world.public.rglob("*.a.shard")
    path.write_bytes(b"old shar?")
    world.publish(OLD)
    assert world.client().look(*OLD) == OLD


def test_only_one_command_changes_the_hub_at_a_time(world: HubWorld) -> None:
    with locked(world.state_dir), pytest.raises(Exception, match="another command"):  # noqa: SIM117
        with locked(world.state_dir, wait_s=0.0):
            pass


@pytest.mark.slow
def test_a_thousand_targets(world: HubWorld) -> None:
    files = {f"lists/{number:04d}.shard": os.urandom(100) for number in range(1000)}
    began = time.monotonic()
    world.publish(files)
    assert time.monotonic() - began < 20
    assert world("status", "--json").json["problem"] is None
    some = ("lists/0000.shard", "lists/0999.shard")
    assert world.client().look(*some) == {one: files[one] for one in some}
