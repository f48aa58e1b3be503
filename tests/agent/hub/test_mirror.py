from __future__ import annotations

import contextlib
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import DataError, UsageError
from agent.hub.mirror import mirror
from agent.hub.served import say_behind
from tests.support.hub_lists import Roll, publish
from tests.support.hubs import Client, HubWorld, Killed, MortalDisk

OLD = {"lists/L-1.manifest": b"old", "lists/a.shard": b"old shard"}
NEW = {"lists/L-1.manifest": b"new", "lists/b.shard": b"new shard"}


def device(world: HubWorld, www: Path, name: str) -> Client:
    return Client(www, world.root(1), world.folder / name)


def test_a_device_reads_from_the_copy(world: HubWorld) -> None:
    www = world.folder / "www"
    world.publish(OLD)
    world("mirror", www)
    assert device(world, www, "camera").look(*OLD) == OLD
    for path in www.rglob("*"):
        assert path.stat().st_mode & 0o044 == 0o044


def test_only_what_changed_is_copied_and_the_rest_of_the_folder_is_left_alone(
    world: HubWorld,
) -> None:
    www = world.folder / "www"
    world.publish(OLD)
    world("mirror", www)
    (www / "index.html").write_text("hello")
    assert world("mirror", www, "--json").json == {"written": 0, "removed": 0}
    world.publish(NEW)
    assert world("mirror", www, "--json").json == {"written": 5, "removed": 0}
    assert (www / "index.html").read_text() == "hello"


def test_what_the_hub_has_deleted_goes(world: HubWorld) -> None:
    www = world.folder / "www"
    world.publish(OLD)
    world("mirror", www)
    world.publish(NEW)
    for _ in range(2):
        world.clock.advance(86_400)
        world("refresh")
    world("mirror", www)
    files = {path.relative_to(www).as_posix() for path in www.rglob("*") if path.is_file()}
    assert files == set(world.files())


def killed_everywhere(world: HubWorld) -> list[bytes | None]:
    """What a device found on the server after a copy was killed before its n-th write, n rising."""
    first, found = world.folder / "first", []
    for lives in range(20):
        www = world.folder / f"www{lives}"
        shutil.copytree(first, www)
        whole = False
        with contextlib.suppress(Killed):
            mirror(world.public, www, now=world.now, disk=MortalDisk(lives, half=True))
            whole = True
        look = device(world, www, f"camera{lives}").look("lists/L-1.manifest")
        found.append(look["lists/L-1.manifest"])
        if whole:
            return found
    raise AssertionError("never done")


def test_killed_at_any_write_a_device_finds_the_old_or_the_new_list(world: HubWorld) -> None:
    world.publish(OLD)
    world("mirror", world.folder / "first")
    world.publish(NEW)
    assert killed_everywhere(world) == [b"old"] * 5 + [b"new"]


@pytest.mark.slow
@pytest.mark.parametrize("role", ["root", "timestamp", "targets", "lists"])
def test_killed_at_any_write_after_a_rotation_a_device_still_verifies(
    world: HubWorld, role: str
) -> None:
    world.publish(OLD)
    world("mirror", world.folder / "first")
    world("rotate", role)
    assert set(killed_everywhere(world)) == {b"old"}


def test_an_old_copy_of_the_hub_does_not_take_the_server_back(world: HubWorld) -> None:
    www = world.folder / "www"
    shutil.copytree(world.state_dir, world.folder / "backup")
    world.publish(OLD)
    world("mirror", www)
    shutil.rmtree(world.state_dir)
    (world.folder / "backup").rename(world.state_dir)
    with pytest.raises(DataError, match="an old copy of the hub"):
        world("mirror", www)
    assert device(world, www, "camera").look(*OLD) == OLD


def test_a_folder_that_does_not_verify_is_not_copied(world: HubWorld) -> None:
    world.publish(OLD)
    (world.public / "metadata/timestamp.json").write_bytes(b"{}")
    with pytest.raises(DataError, match="does not verify"):
        world("mirror", world.folder / "www")
    assert not (world.folder / "www").exists()


def test_never_into_the_hub_itself(world: HubWorld) -> None:
    for goal in (world.public, world.state_dir / "www", world.folder):
        with pytest.raises(UsageError, match="choose a folder outside"):
            world("mirror", goal)


@pytest.mark.parametrize(
    "words",
    [
        ("publish", "wanted"),
        ("revoke", "wanted", "--all"),
        ("rotate", "root"),
        ("rotate", "timestamp"),
        ("refresh",),
    ],
)
def test_what_is_not_served_yet_is_said(world: HubWorld, words: tuple[str, ...]) -> None:
    www = world.folder / "w w w"
    publish(world, Roll([1]))
    assert world(*words).err.endswith("now: bodycam-hub mirror DIR\n")
    world("mirror", www)
    assert world(*words).err.endswith(f"now: bodycam-hub mirror '{www}'\n")
    assert "now:" not in world(*words, "--json").err


def test_a_folder_that_was_kept_in_step_is_not_behind(
    world: HubWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world("mirror", world.folder / "www")
    with closing(world.open()) as hub:
        say_behind(hub, world.context())
        assert capsys.readouterr().err == ""
        (world.folder / "www/metadata/1.root.json").unlink()
        say_behind(hub, world.context())
        assert "now: bodycam-hub mirror" in capsys.readouterr().err
