"""Who may command a device follows from the agency's root, and from nothing else."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from agent.adapters.command_keys import DelegatedCommandKeys
from agent.adapters.sealing import key_id
from tests.support.hubs import Client, HubWorld


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> HubWorld:
    world = HubWorld(tmp_path, capsys)
    world.init()
    return world


def synced(world: HubWorld, client: Client) -> DelegatedCommandKeys:
    client.look()
    return DelegatedCommandKeys(client._metadata, lambda: world.root(1))


def office(world: HubWorld) -> set[str]:
    """Public keys of the role, hexadecimal."""
    with closing(world.open()) as hub:
        keys, _ = hub.repository.load().keys["commands"]
        return {key.keyval["public"] for key in keys}


def test_the_keys_are_those_of_the_role_commands(world: HubWorld) -> None:
    keys = synced(world, world.client())
    found = keys()
    assert {public.hex() for public in found.keys.values()} == office(world)
    assert all(name == key_id(public) for name, public in found.keys.items())
    assert found.not_after == pytest.approx(world.now + 90 * 86_400, abs=2)


def test_a_rotation_counts_from_the_next_sync_on(world: HubWorld) -> None:
    client = world.client()
    keys = synced(world, client)
    old = set(keys().keys)
    world("keys", "rotate", "commands")
    assert set(keys().keys) == old
    client.look()
    assert {public.hex() for public in keys().keys.values()} == office(world)
    assert not old & set(keys().keys)


def test_before_the_first_sync_nobody_commands(world: HubWorld, tmp_path: Path) -> None:
    keys = DelegatedCommandKeys(tmp_path / "tuf", lambda: world.root(1))
    assert keys().keys == {}
    assert "timestamp.json" in keys.trouble


def test_metadata_changed_on_disk_makes_nobody_a_commander(world: HubWorld) -> None:
    client = world.client()
    client.look()
    path = client._metadata / "targets.json"
    (public,) = office(world)
    path.write_bytes(path.read_bytes().replace(public.encode(), b"ab" * 32))
    keys = DelegatedCommandKeys(client._metadata, lambda: world.root(1))
    assert keys().keys == {}
    assert "targets.json" in keys.trouble


def test_in_the_middle_of_a_sync_the_last_keys_hold(world: HubWorld) -> None:
    client = world.client()
    keys = synced(world, client)
    before = keys()
    path = client._metadata / "snapshot.json"
    whole = path.read_bytes()
    path.write_bytes(b"{}")
    assert keys() == before
    assert keys.trouble
    path.write_bytes(whole)
    assert keys() == before
    assert not keys.trouble


def test_a_role_that_needs_two_signatures_commands_nobody(world: HubWorld) -> None:
    world("keys", "rotate", "commands", "--keys", "2", "--threshold", "2")
    assert synced(world, world.client())().keys == {}


def test_what_did_not_change_is_not_verified_again(world: HubWorld) -> None:
    asked: list[int] = []
    client = world.client()
    client.look()

    def root() -> bytes:
        asked.append(1)
        return world.root(1)

    keys = DelegatedCommandKeys(client._metadata, root)
    for _ in range(5):
        keys()
    assert len(asked) == 1
