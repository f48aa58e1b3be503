"""The hub's keys for events and acknowledgements: made with it, given to devices, renewed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from agent.adapters.sealing import key_id, seal, unseal
from agent.adapters.signing import KeySigner, is_signed, signed
from agent.errors import DataError, UsageError
from tests.support.hubs import HubWorld


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> HubWorld:
    world = HubWorld(tmp_path, capsys)
    world.init()
    return world


def test_a_camera_is_given_both_keys_and_the_hub_remembers_which(world: HubWorld) -> None:
    identity = world.camera("CAM-7").identity
    with closing(world.open()) as hub:
        device = hub.devices.get("CAM-7")
        assert (device.alert_key, device.ack_key) == (identity.alert_key, identity.ack_key)
        assert (device.alert_key, device.ack_key) == (hub.alert_public, hub.ack_public)
        opened = unseal(
            hub.ring.alerts_key(device.alert_key), seal(identity.alert_key, b"x", b"i"), b"i"
        )
        assert opened == b"x"
        word = signed({"a": 1}, KeySigner(hub.ring.acks_key(device.ack_key)))
        assert is_signed(word, identity.ack_key)


@pytest.mark.parametrize("role", ["alerts", "acks"])
def test_after_a_rotation_old_devices_keep_the_old_key_and_new_ones_get_the_new(
    world: HubWorld, role: str
) -> None:
    first = world.camera("CAM-7").identity
    said = world("keys", "rotate", role).out
    assert "until provisioned anew: CAM-7" in said
    second = world.camera("CAM-8").identity
    field = {"alerts": "alert_key", "acks": "ack_key"}[role]
    assert getattr(first, field) != getattr(second, field)
    with closing(world.open()) as hub:
        opener = {"alerts": hub.ring.alerts_key, "acks": hub.ring.acks_key}[role]
        for name, identity in (("CAM-7", first), ("CAM-8", second)):
            known = getattr(hub.devices.get(name), field)
            assert known == getattr(identity, field)
            assert opener(known).public_key().public_bytes_raw() == known


def test_a_rotation_without_devices_leaves_nothing_to_keep(world: HubWorld) -> None:
    (old,) = world.key_files("alerts")
    assert f"destroy {old}" in world("keys", "rotate", "alerts").out
    assert len(world.key_files("alerts")) == 2


def test_a_key_file_under_another_name_is_found_out(world: HubWorld) -> None:
    (alerts,), (acks,) = world.key_files("alerts"), world.key_files("acks")
    acks.replace(alerts)
    with closing(world.open()) as hub, pytest.raises(DataError, match="not the alerts key"):
        hub.ring.alerts_key(hub.alert_public)
    assert key_id(hub.alert_public)[:12] in alerts.name


def test_such_a_key_has_no_threshold(world: HubWorld) -> None:
    with pytest.raises(UsageError, match="keys rotate acks: takes no other option"):
        world("keys", "rotate", "acks", "--keys", "2")


def test_the_list_of_keys_names_them_and_those_that_are_still_needed(world: HubWorld) -> None:
    world.camera("CAM-7")
    world("keys", "rotate", "alerts")
    rows = world("keys", "list", "--json").json
    assert {use: len(rows[use]["keys"]) for use in ("release", "alerts", "acks")} == {
        "release": 1,
        "alerts": 2,
        "acks": 1,
    }
    assert all(Path(one["file"]).exists() for use in rows for one in rows[use]["keys"])
    world.key_files("acks")[0].unlink()
    said = world("keys", "list").out
    assert "not here: acks-" in said
    assert "alerts\n" in said
