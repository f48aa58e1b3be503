"""What an attacker between the agency and the device can do to the list, and what it gets him.

After the python-tuf attack set. Each row: who attacks, how, and how it must be called. None of them
changes who is matched; each leaves one audit record however often it is tried, and none stops the
next good version.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import TargetFile

from agent.messages.bundle import manifest_target
from agent.values.sync import Fault, Installed, Refused, Unreachable
from agent.watchlist.columns import Coded
from tests.support import file_server as bad
from tests.support.clocks import FakeClock
from tests.support.file_server import FileServer
from tests.support.list_world import DAY, LIST, World, tuf_reads
from tests.support.lists import some_columns
from tests.support.synced_device import SyncedDevice

A, B, C = (some_columns(3, first=first, seed=first) for first in (1, 11, 21))


class Scene:
    """A device that has version 1, and an attacker who knows everything the server ever had."""

    def __init__(self, folder, server: FileServer, clock: FakeClock) -> None:
        self.clock, self.server = clock, server
        self.world = World(clock, server.files)
        self.device = SyncedDevice(folder, server.url, self.world.root, clock, timeout_s=1.0)
        self.world.publish([A], [self.device.public])
        assert isinstance(self.device.look().result, Installed)
        self.first = dict(server.files)

    def newer(self, part=B) -> None:
        """The agency publishes another version."""
        self.world.publish([A, part], [self.device.public])

    def serve(self, files: dict[str, bytes]) -> None:
        self.server.files.clear()
        self.server.files.update(files)

    def fault(self, ending: str, trouble: bad.Trouble) -> None:
        self.server.faults.append((self.world.served(ending).replace(".", r"\.") + "$", trouble))


# A hostile file server or network: no key at all.


def tampered_shard(scene: Scene) -> None:
    scene.newer()
    scene.fault(".shard", bad.flipped)


def another_file_as_shard(scene: Scene) -> None:
    scene.newer()
    old = next(data for path, data in scene.first.items() if path.endswith(".shard"))
    scene.fault(".shard", bad.swapped(old))


def tampered_manifest(scene: Scene) -> None:
    scene.newer()
    scene.fault(".manifest", bad.flipped)


def tampered_envelopes(scene: Scene) -> None:
    scene.newer()
    scene.fault(".envelopes", bad.flipped)


def longer_shard(scene: Scene) -> None:
    scene.newer()
    scene.fault(".shard", bad.longer)


def endless_shard(scene: Scene) -> None:
    scene.newer()
    scene.fault(".shard", bad.endless)


def endless_timestamp(scene: Scene) -> None:
    scene.fault("timestamp.json", bad.endless)


def endless_root(scene: Scene) -> None:
    scene.server.faults.append((r"2\.root\.json$", bad.endless))


def missing_shard(scene: Scene) -> None:
    scene.newer()
    del scene.server.files[scene.world.served(".shard")]


def missing_snapshot(scene: Scene) -> None:
    scene.newer()
    del scene.server.files[scene.world.served(".snapshot.json")]


def missing_timestamp(scene: Scene) -> None:
    del scene.server.files["metadata/timestamp.json"]


def rollback_of_everything(scene: Scene) -> None:
    scene.newer()
    assert isinstance(scene.device.look().result, Installed)
    scene.serve(scene.first)


def freeze_past_expiry(scene: Scene) -> None:
    scene.newer()
    scene.serve(scene.first)
    scene.clock.advance(DAY + 1)


def mixed_versions(scene: Scene) -> None:
    """The newest timestamp, and an older snapshot under the name of the new one."""
    old = scene.server.files[scene.world.served(".snapshot.json")]
    scene.newer()
    scene.server.files[scene.world.served(".snapshot.json")] = old


def mixed_roles(scene: Scene) -> None:
    old = scene.server.files[scene.world.served(".lists.json")]
    scene.newer()
    scene.server.files[scene.world.served(".lists.json")] = old


def nonsense_timestamp(scene: Scene) -> None:
    scene.server.files["metadata/timestamp.json"] = b'{"signed": [[[[[' + b"[" * 5000


def timestamp_of_another_type(scene: Scene) -> None:
    scene.server.files["metadata/timestamp.json"] = scene.first["metadata/1.snapshot.json"]


# Keys of the attacker's own.


def wrong_key(role: str) -> Callable[[Scene], None]:
    def attack(scene: Scene) -> None:
        scene.world.commit(by={role: CryptoSigner.generate_ed25519()})

    attack.__name__ = f"wrong_key_{role}"
    return attack


def root_of_his_own(scene: Scene) -> None:
    mine = CryptoSigner.generate_ed25519()
    scene.world.signers["root"] = mine
    scene.world._name_keys()
    scene.world.publish_root()


def root_skips_a_version(scene: Scene) -> None:
    scene.world.rotate("timestamp")
    scene.world.rotate("snapshot")
    third = scene.server.files.pop("metadata/3.root.json")
    scene.server.files["metadata/2.root.json"] = third


def changed_after_signing(scene: Scene) -> None:
    path = "metadata/timestamp.json"
    data = json.loads(scene.server.files[path])
    data["signed"]["version"] += 1
    scene.server.files[path] = json.dumps(data).encode()


# A stolen online key: timestamp, or snapshot and timestamp.


def stolen_timestamp_older_snapshot(scene: Scene) -> None:
    scene.newer()
    assert isinstance(scene.device.look().result, Installed)
    role = scene.world.role("timestamp").signed
    role.snapshot_meta.version = 1
    role.snapshot_meta.hashes = role.snapshot_meta.length = None
    scene.world._sign("timestamp", scene.world.signers["timestamp"])


def stolen_timestamp_fast_forward_without_snapshot(scene: Scene) -> None:
    role = scene.world.role("timestamp").signed
    role.snapshot_meta.version = 1000
    role.snapshot_meta.hashes = role.snapshot_meta.length = None
    scene.world._sign("timestamp", scene.world.signers["timestamp"])


def stolen_online_keys_older_lists(scene: Scene) -> None:
    """He signs a new snapshot that names the lists of before."""
    old = scene.world.role("snapshot").signed.meta["lists.json"].version
    scene.newer()
    assert isinstance(scene.device.look().result, Installed)
    _resnapshot(scene, old)


def stolen_online_keys_drop_a_role(scene: Scene) -> None:
    del scene.world.role("snapshot").signed.meta["lists.json"]
    _resign_online(scene)


def stolen_online_keys_list_of_his_own(scene: Scene) -> None:
    """He has no key of the role `lists`, and makes one up."""
    scene.world.signers["lists"] = CryptoSigner.generate_ed25519()
    scene.world.publish([C], [scene.device.public])


def stolen_online_keys_endless_freeze(scene: Scene) -> None:
    """He keeps the online roles fresh for ever; what is signed offline still ends."""
    scene.clock.advance(31 * DAY)
    _resign_online(scene)


def targets_key_nonsense(scene: Scene) -> None:
    """A role without a name, truly signed: tuf does not expect it."""
    scene.world.role("targets").signed.delegations.roles["lists"].name = 7
    scene.world.commit()


# A stolen key of the role `lists`, or an agency that makes a mistake.


def lists_key_older_version(scene: Scene) -> None:
    """He signs version 1 of the list again, in a lists.json newer than that of version 2."""
    targets = dict(scene.world.role("lists").signed.targets)
    scene.newer()
    assert isinstance(scene.device.look().result, Installed)
    scene.world.role("lists").signed.targets = targets
    scene.world.commit()


def lists_key_manifest_of_other_envelopes(scene: Scene) -> None:
    scene.newer()
    old = next(data for path, data in scene.first.items() if path.endswith(".manifest"))
    scene.world.target(manifest_target(LIST), old)
    scene.world.commit()


def lists_key_endless_manifest(scene: Scene) -> None:
    """He signs for 20 MB; nobody begins to fetch them."""
    path = manifest_target(LIST)
    scene.newer()
    scene.world.role("lists").signed.targets[path] = TargetFile(
        20 << 20, {"sha256": "0" * 64}, path
    )
    scene.world.commit()


def lists_key_shard_not_signed_for(scene: Scene) -> None:
    manifest = scene.world.publish([A, B], [scene.device.public])
    del scene.world.role("lists").signed.targets[f"lists/{manifest.shards[1].name}.shard"]
    scene.world.commit()


def lists_key_same_version_again(scene: Scene) -> None:
    manifest = scene.world.publish([A, B], [scene.device.public])
    assert isinstance(scene.device.look().result, Installed)
    other = scene.world.publish([A, C], [scene.device.public])
    again = other.model_copy(update={"version": manifest.version})
    scene.world.put_manifest(again, [scene.device.public])
    scene.world.commit()


def lists_key_entry_without_grounds(scene: Scene) -> None:
    """Truly signed, but the policy does not know the basis of one entry."""
    odd = some_columns(2, first=51, seed=9)
    odd = replace(odd, basis=Coded(odd.basis.codes, ("whim",)))
    scene.world.publish([A, odd], [scene.device.public])


class Row(NamedTuple):
    attack: Callable[[Scene], None]
    fault: Fault | None
    """None: no attack can be told from a poor network; nothing is audited."""


TABLE = (
    Row(tampered_shard, Fault.TAMPERED),
    Row(another_file_as_shard, Fault.TAMPERED),
    Row(tampered_manifest, Fault.TAMPERED),
    Row(tampered_envelopes, Fault.TAMPERED),
    Row(longer_shard, Fault.ENDLESS),
    Row(endless_shard, Fault.ENDLESS),
    Row(endless_timestamp, Fault.ENDLESS),
    Row(endless_root, Fault.ENDLESS),
    Row(missing_shard, Fault.MISSING),
    Row(missing_snapshot, Fault.MISSING),
    Row(missing_timestamp, Fault.MISSING),
    Row(rollback_of_everything, Fault.ROLLBACK),
    Row(freeze_past_expiry, Fault.FROZEN),
    Row(mixed_versions, Fault.MIXED),
    Row(mixed_roles, Fault.MIXED),
    Row(nonsense_timestamp, Fault.TAMPERED),
    Row(timestamp_of_another_type, Fault.TAMPERED),
    Row(wrong_key("timestamp"), Fault.SIGNATURE),
    Row(wrong_key("snapshot"), Fault.SIGNATURE),
    Row(wrong_key("targets"), Fault.SIGNATURE),
    Row(wrong_key("lists"), Fault.SIGNATURE),
    Row(root_of_his_own, Fault.SIGNATURE),
    Row(root_skips_a_version, Fault.ROLLBACK),
    Row(changed_after_signing, Fault.SIGNATURE),
    Row(stolen_timestamp_older_snapshot, Fault.ROLLBACK),
    Row(stolen_timestamp_fast_forward_without_snapshot, Fault.MISSING),
    Row(stolen_online_keys_older_lists, Fault.ROLLBACK),
    Row(stolen_online_keys_drop_a_role, Fault.TAMPERED),
    Row(stolen_online_keys_list_of_his_own, Fault.SIGNATURE),
    Row(stolen_online_keys_endless_freeze, Fault.FROZEN),
    Row(targets_key_nonsense, Fault.TAMPERED),
    Row(lists_key_older_version, Fault.ROLLBACK),
    Row(lists_key_manifest_of_other_envelopes, Fault.MIXED),
    Row(lists_key_endless_manifest, Fault.ENDLESS),
    Row(lists_key_shard_not_signed_for, Fault.MIXED),
    Row(lists_key_same_version_again, Fault.MIXED),
    Row(lists_key_entry_without_grounds, Fault.CONTENT),
)
POOR_NETWORK = ("status_500", "captive_portal", "redirect", "slow_loris", "slow_loris_headers",
                "silence", "cut")  # fmt: skip
_TROUBLES = dict(
    zip(
        POOR_NETWORK,
        (bad.status(500), bad.html, bad.redirect, bad.drip, bad.drip_headers, bad.silent, bad.cut),
        strict=True,
    )
)


@pytest.fixture
def scene(tmp_path, monkeypatch):
    clock = FakeClock()
    tuf_reads(monkeypatch, clock)
    with FileServer() as server:
        made = Scene(tmp_path / "state", server, clock)
        yield made
        made.device.close()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.attack.__name__)
def test_an_attack_gets_nothing(scene, row):
    row.attack(scene)
    device, clock = scene.device, scene.clock
    before = device.matched()
    records = len(device.audited())
    for _ in range(3):
        report = device.look()
        assert isinstance(report.result, Refused), report
        assert report.result.fault is row.fault, report
        clock.advance(1)
    assert device.matched() == before
    kinds = [kind for kind, _ in device.audited()[records:]]
    assert kinds == ["refusal"]
    assert report.received < 3 << 20


@pytest.mark.parametrize("name", POOR_NETWORK)
def test_a_poor_network_is_no_attack(scene, name):
    scene.newer()
    scene.fault(".shard", _TROUBLES[name])
    before, records = scene.device.matched(), len(scene.device.audited())
    assert isinstance(scene.device.look().result, Unreachable)
    assert (scene.device.matched(), len(scene.device.audited())) == (before, records)
    scene.server.faults.clear()
    assert isinstance(scene.device.look().result, Installed)


@pytest.mark.parametrize("name", ["tampered_shard", "endless_shard", "missing_shard"])
def test_the_next_good_look_ends_it(scene, name):
    scene.newer()
    whole = dict(scene.server.files)
    if name == "missing_shard":
        del scene.server.files[scene.world.served(".shard")]
    else:
        scene.fault(".shard", bad.flipped if name == "tampered_shard" else bad.endless)
    assert isinstance(scene.device.look().result, Refused)
    scene.server.faults.clear()
    scene.serve(whole)
    assert isinstance(scene.device.look().result, Installed)
    assert scene.device.matched()[1] == 2


def test_the_same_attack_after_a_good_look_is_another_event(scene):
    for part in (B, C):
        scene.newer(part)
        scene.fault(".shard", bad.flipped)
        scene.device.look()
        scene.device.look()
        scene.server.faults.clear()
        scene.device.look()
    assert len(scene.device.audited("refusal")) == 2


def _resign_online(scene: Scene) -> None:
    world = scene.world
    data = world._sign("snapshot", world.signers["snapshot"])
    world.role("timestamp").signed.snapshot_meta = world._meta("snapshot", data, True)
    world._sign("timestamp", world.signers["timestamp"])


def _resnapshot(scene: Scene, version: int) -> None:
    meta = scene.world.role("snapshot").signed.meta["lists.json"]
    meta.version, meta.hashes, meta.length = version, None, None
    _resign_online(scene)
