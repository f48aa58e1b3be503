"""The identity of a device and its keys, as incidents."""

from __future__ import annotations

import hashlib
import hmac
import pickle
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.device_identity import base64_of, read_identity, read_root
from agent.adapters.device_keys import DeviceKeys
from agent.adapters.device_provisioning import generate
from agent.adapters.keystore import Keystore
from agent.adapters.sealing import ScryptCost, seal, unseal
from agent.errors import BodycamError, DataError, DiskError, RefusedError, UsageError
from agent.messages.provisioning import (
    ProvisioningRequest,
    Unlock,
    authenticated,
    store_key_info,
)
from agent.values import Wall
from tests.support.clocks import FakeClock
from tests.support.provisioning import TOKEN, Hub, a_file

CHEAP = ScryptCost(n=2, r=1, p=1)
PASSPHRASE = "correct horse"


class Device:
    def __init__(self, folder: Path, unlock: Unlock = "device") -> None:
        self.hub = Hub()
        self.folder = folder / "keys"
        self.clock = FakeClock()
        self.answers: list[ProvisioningRequest] = []
        passphrase = PASSPHRASE if unlock == "operator" else None
        generate(
            self.folder,
            a_file(unlock, self.hub),
            passphrase,
            commit=self.answers.append,
            cost=CHEAP,
        )

    def opened(self) -> Keystore:
        return Keystore(self.folder, self.clock.monotonic)


def test_mode_device_opens_itself(tmp_path: Path) -> None:
    keystore = Device(tmp_path).opened()
    assert not keystore.locked
    assert keystore.keys.seal_key == keystore.identity.seal_key


def test_every_file_is_for_the_owner_alone(tmp_path: Path) -> None:
    folder = Device(tmp_path, "operator").folder
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_mode_operator_opens_with_the_passphrase_only(tmp_path: Path) -> None:
    keystore = Device(tmp_path, "operator").opened()
    assert keystore.locked
    with pytest.raises(RefusedError, match="locked: ctl unlock"):
        _ = keystore.keys
    keystore.unlock_with_passphrase(PASSPHRASE)
    assert keystore.keys.sign_key == keystore.identity.sign_key


def test_a_wrong_passphrase_costs_a_pause_that_grows(tmp_path: Path) -> None:
    device = Device(tmp_path, "operator")
    keystore = device.opened()
    for pause in (1, 2, 4):
        with pytest.raises(RefusedError, match=f"wrong passphrase; the next try counts in {pause}"):
            keystore.unlock_with_passphrase("correct house")
        with pytest.raises(RefusedError, match="too soon"):
            keystore.unlock_with_passphrase(PASSPHRASE)
        device.clock.advance(pause)
    keystore.unlock_with_passphrase(PASSPHRASE)
    assert not keystore.locked


def test_mode_hub_opens_with_the_answer_to_this_request(tmp_path: Path) -> None:
    device = Device(tmp_path, "hub")
    keystore = device.opened()
    release = device.hub.release(device.answers[0], keystore.unlock_request(now=Wall(1.0)))
    keystore.unlock_with_release(release)
    assert keystore.keys.seal_key == keystore.identity.seal_key


def test_a_release_opens_nothing_after_a_restart(tmp_path: Path) -> None:
    """It was recorded on its way, and the device stolen later."""
    device = Device(tmp_path, "hub")
    before = device.opened()
    release = device.hub.release(device.answers[0], before.unlock_request(now=Wall(1.0)))
    stolen = device.opened()
    with pytest.raises(RefusedError, match="asked for no release"):
        stolen.unlock_with_release(release)
    stolen.unlock_request(now=Wall(2.0))
    with pytest.raises(RefusedError, match="another request"):
        stolen.unlock_with_release(release)
    assert stolen.locked


@pytest.mark.parametrize("unlock", ["operator", "hub"])
def test_the_store_key_is_in_no_file(tmp_path: Path, unlock: Unlock) -> None:
    device = Device(tmp_path, unlock)
    keystore = device.opened()
    if unlock == "hub":
        asked = keystore.unlock_request(now=Wall(1.0))
        keystore.unlock_with_release(device.hub.release(device.answers[0], asked))
    else:
        keystore.unlock_with_passphrase(PASSPHRASE)
    secrets = [keystore.keys.export_store_key(), keystore.keys.export_private()[:32]]
    data = b"".join(path.read_bytes() for path in device.folder.iterdir())
    assert not any(one in data or base64_of(one) in data for one in secrets)


def test_the_control_mode_device_has_its_store_key_in_a_file(tmp_path: Path) -> None:
    device = Device(tmp_path)
    assert (device.folder / "store.key").read_bytes() == device.opened().keys.export_store_key()


def test_the_answer_to_the_hub_is_authenticated_by_the_token(tmp_path: Path) -> None:
    device = Device(tmp_path, "hub")
    answer = device.answers[0]
    assert answer.mac == hmac.digest(TOKEN, authenticated(answer), "sha256").hex()
    info = store_key_info(answer.agency, answer.device)
    assert answer.store_key is not None
    assert len(unseal(device.hub.private, answer.store_key, info)) == 32


def test_nothing_is_made_when_the_answer_cannot_be_handed_over(tmp_path: Path) -> None:
    def fails(request: ProvisioningRequest) -> None:
        raise DiskError("no room")

    with pytest.raises(DiskError):
        generate(tmp_path / "keys", a_file("device"), commit=fails)
    assert list(tmp_path.iterdir()) == []


def test_an_identity_is_never_overwritten(tmp_path: Path) -> None:
    device = Device(tmp_path)
    before = read_identity(device.folder)
    with pytest.raises(RefusedError, match="already"):
        generate(device.folder, a_file("device"), commit=lambda request: None)
    assert read_identity(device.folder) == before


@pytest.mark.parametrize(
    ("unlock", "passphrase", "problem"),
    [
        ("operator", None, "give --passphrase-file"),
        ("operator", "short", "at least 8"),
        ("hub", "long enough", "no passphrase is wanted"),
    ],
)
def test_a_passphrase_goes_with_mode_operator(
    tmp_path: Path, unlock: Unlock, passphrase: str | None, problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        generate(tmp_path / "keys", a_file(unlock), passphrase, commit=lambda request: None)


@pytest.mark.parametrize("name", ["device.json", "private", "store.key"])
def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, name: str) -> None:
    device = Device(tmp_path)
    (device.folder / name).chmod(0o640)
    with pytest.raises(RefusedError, match="others may read it; chmod 600"):
        device.opened()


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    device = Device(tmp_path)
    device.folder.chmod(0o750)
    with pytest.raises(RefusedError, match="chmod 700"):
        device.opened()


@pytest.mark.parametrize("name", ["device.json", "private", "store.key"])
def test_a_link_in_the_place_of_a_key_file_is_refused(tmp_path: Path, name: str) -> None:
    device = Device(tmp_path)
    moved = tmp_path / name
    (device.folder / name).rename(moved)
    (device.folder / name).symlink_to(moved)
    with pytest.raises(RefusedError, match="is a link"):
        device.opened()


def test_a_link_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    device = Device(tmp_path)
    moved = tmp_path / "elsewhere"
    device.folder.rename(moved)
    device.folder.symlink_to(moved)
    with pytest.raises(RefusedError, match="is a link"):
        device.opened()


@pytest.mark.parametrize("name", ["device.json", "private", "store.key"])
@pytest.mark.parametrize("harm", [lambda data: data[:-1], lambda data: b"\xff" + data[1:]])
def test_damage_is_one_line(tmp_path: Path, name: str, harm: Any) -> None:
    device = Device(tmp_path)
    path = device.folder / name
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(DataError) as caught:
        device.opened()
    assert "\n" not in str(caught.value)


def test_the_keys_of_another_device_are_refused(tmp_path: Path) -> None:
    device, other = Device(tmp_path / "a"), Device(tmp_path / "b")
    for name in ("private", "store.key"):
        (device.folder / name).write_bytes((other.folder / name).read_bytes())
    with pytest.raises(DataError, match="not the key of this store"):
        device.opened()


def test_a_trust_root_swapped_on_disk_is_found(tmp_path: Path) -> None:
    device = Device(tmp_path)
    identity = read_identity(device.folder)
    assert hashlib.sha256(read_root(device.folder, identity)).hexdigest() == identity.root
    (device.folder / "root.json").write_bytes(b"{ }")
    with pytest.raises(DataError, match="changed since"):
        read_root(device.folder, identity)


def test_closed_keys_are_of_no_use_and_show_nothing(tmp_path: Path) -> None:
    keystore = Device(tmp_path).opened()
    keys = keystore.keys
    secret = keys.export_store_key()
    assert secret.hex() not in repr(keys) + repr(keystore)
    with pytest.raises(TypeError, match="never written"):
        pickle.dumps(keys)
    keystore.close()
    for use in (lambda: keys.encrypt(b"", b""), lambda: keys.sign(b""), keys.export_store_key):
        with pytest.raises(BodycamError, match="locked"):
            use()


def test_what_is_sealed_to_a_device_opens_there_only() -> None:
    mine, other = DeviceKeys.new(), DeviceKeys.new()
    blob = seal(mine.seal_key, b"for you", b"letter")
    assert mine.unseal(blob, b"letter") == b"for you"
    with pytest.raises(DataError):
        other.unseal(blob, b"letter")
