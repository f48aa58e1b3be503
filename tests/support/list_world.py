"""An agency's repository in memory, with every key at hand: for attacks with some of them.

Made with `tuf.api` and the formats alone, so that the hub's own code is not what tests it.
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.ngclient._internal import trusted_metadata_set

from agent.adapters.sealing import encrypt, key_id, new_key, seal
from agent.messages.bundle import (
    SHARD_ABOUT,
    EnvelopeFile,
    ListManifest,
    ShardRef,
    envelope_info,
    envelopes_target,
    manifest_about,
    manifest_target,
    shard_target,
)
from agent.watchlist.bundle import a_shard, an_envelope, envelope_bytes, manifest_bytes
from agent.watchlist.columns import Columns
from agent.watchlist.shard import encode_shard
from tests.support.clocks import FakeClock
from tests.support.lists import DIM, SPACE

DAY = 86_400.0
ROLES = ("root", "targets", "snapshot", "timestamp", "lists")
LIST = "L-1"


class World:
    """The agency.

    Args:
        clock: of the agency; what is signed expires by it.
        files: what the file server serves; changed by `commit`.
        space: family of embedders of its lists.
    """

    def __init__(self, clock: FakeClock, files: dict[str, bytes], space: str = SPACE) -> None:
        self.clock = clock
        self.space = space
        self.files = files
        self.lives = dict.fromkeys(ROLES, 30 * DAY) | {"timestamp": DAY}
        self.signers = {role: CryptoSigner.generate_ed25519() for role in ROLES}
        self._versions: dict[str, int] = {}
        self._shards: dict[bytes, tuple[bytes, bytes]] = {}
        self._signed: dict[str, int] = {}
        self._roles = self._first_roles()
        self.publish_root()
        self.root = self.files["metadata/1.root.json"]
        self.commit()

    def publish(
        self,
        parts: Sequence[Columns],
        devices: Sequence[bytes],
        *,
        list_id: str = LIST,
        removed: Mapping[int, tuple[int, ...]] | None = None,
        **changes: Any,
    ) -> ListManifest:
        """A new version: each part is a shard, sealed to devices by their public keys."""
        gone = removed or {}
        shards = [self._shard(part, gone.get(at, ())) for at, part in enumerate(parts)]
        version = self._versions[list_id] = self._versions.get(list_id, 0) + 1
        live = [_live(part, gone.get(at, ())) for at, part in enumerate(parts)]
        fields = {
            "list": list_id,
            "version": version,
            "created": self.clock.wall_now,
            "not_after": self.clock.wall_now + DAY,
            "space": self.space,
            "dim": parts[0].dim if parts else DIM,
            "entries": sum(entries for entries, _ in live),
            "templates": sum(templates for _, templates in live),
            "shards": tuple(shards),
        }
        manifest = ListManifest.model_validate(fields | changes)
        self.put_manifest(manifest, devices)
        self.commit()
        return manifest

    def put_manifest(self, manifest: ListManifest, devices: Sequence[bytes]) -> None:
        """Sign for a manifest, whatever it says, from the next `commit` on."""
        name, version, key = manifest.list, manifest.version, new_key()
        blob = encrypt(key, manifest_bytes(manifest), manifest_about(name, version))
        self.target(manifest_target(name), blob)
        sealed = [_envelope(name, version, key, device) for device in devices]
        envelopes = EnvelopeFile(
            list=name,
            version=version,
            manifest=hashlib.sha256(blob).hexdigest(),
            envelopes=tuple(sealed),
        )
        self.target(envelopes_target(name), envelope_bytes(envelopes))

    def withdraw(self, list_id: str = LIST) -> None:
        """The list is published no more."""
        for name in (manifest_target(list_id), envelopes_target(list_id)):
            del self._roles["lists"].signed.targets[name]
        self.commit()

    def rotate(self, *roles: str) -> None:
        """New keys, signed for by the old root and the new one."""
        old = self.signers["root"]
        for role in roles:
            self.signers[role] = CryptoSigner.generate_ed25519()
        self._name_keys()
        self.publish_root(also=[old])
        self.commit()

    def publish_root(self, also: Sequence[CryptoSigner] = ()) -> None:
        self._bump("root")
        metadata = self._roles["root"]
        metadata.signatures.clear()
        for signer in (*also, self.signers["root"]):
            metadata.sign(signer, append=True)
        self.files[f"metadata/{metadata.signed.version}.root.json"] = metadata.to_bytes()

    def commit(self, *, by: Mapping[str, CryptoSigner] | None = None, hashes: bool = True) -> None:
        """Sign and serve lists, targets, snapshot and timestamp.

        Args:
            by: who signs in place of the right key.
            hashes: the snapshot and the timestamp name hashes, not versions alone.
        """
        roles = self._roles
        signers = self.signers | dict(by or {})
        for role in ("lists", "targets"):
            data = self._sign(role, signers[role])
            roles["snapshot"].signed.meta[f"{role}.json"] = self._meta(role, data, hashes)
        data = self._sign("snapshot", signers["snapshot"])
        roles["timestamp"].signed.snapshot_meta = self._meta("snapshot", data, hashes)
        self._sign("timestamp", signers["timestamp"])

    def target(self, path: str, data: bytes) -> None:
        """Sign for a file from the next `commit` on, and serve it."""
        target = TargetFile.from_data(path, data, ["sha256"])
        self._roles["lists"].signed.targets[path] = target
        folder, _, name = path.rpartition("/")
        self.files[f"targets/{folder}/{target.hashes['sha256']}.{name}"] = data

    def role(self, name: str) -> Metadata[Any]:
        """Metadata as it stands, to be spoilt."""
        return self._roles[name]

    def served(self, ending: str) -> str:
        """The path of the newest file that ends so."""
        return [path for path in self.files if path.endswith(ending)][-1]

    def _first_roles(self) -> dict[str, Metadata[Any]]:
        soon = datetime.now(timezone.utc)
        root = Root(version=1, expires=soon, consistent_snapshot=True)
        targets = Targets(version=1, expires=soon)
        roles: dict[str, Metadata[Any]] = {
            "root": Metadata(root),
            "targets": Metadata(targets),
            "lists": Metadata(Targets(version=1, expires=soon)),
            "snapshot": Metadata(Snapshot(version=1, expires=soon)),
            "timestamp": Metadata(Timestamp(version=1, expires=soon)),
        }
        self._roles = roles
        self._name_keys()
        return roles

    def _name_keys(self) -> None:
        root, targets = self._roles["root"].signed, self._roles["targets"].signed
        for role in ("root", "targets", "snapshot", "timestamp"):
            for old in list(root.roles[role].keyids):
                root.revoke_key(old, role)
            root.add_key(self.signers[role].public_key, role)
        key = self.signers["lists"].public_key
        role = DelegatedRole("lists", [key.keyid], 1, terminating=True, paths=["lists/*"])
        targets.delegations = Delegations({key.keyid: key}, {"lists": role})

    def _sign(self, role: str, signer: CryptoSigner) -> bytes:
        self._bump(role)
        metadata = self._roles[role]
        metadata.sign(signer)
        data: bytes = metadata.to_bytes()
        prefix = "" if role == "timestamp" else f"{metadata.signed.version}."
        self.files[f"metadata/{prefix}{role}.json"] = data
        return data

    def _bump(self, role: str) -> None:
        signed = self._roles[role].signed
        signed.version = self._signed[role] = self._signed.get(role, 0) + 1
        signed.expires = moment(self.clock.wall_now) + timedelta(seconds=self.lives[role])

    def _meta(self, role: str, data: bytes, hashes: bool) -> MetaFile:
        version = self._roles[role].signed.version
        return MetaFile.from_data(version, data, ["sha256"]) if hashes else MetaFile(version)

    def _shard(self, columns: Columns, removed: tuple[int, ...]) -> ShardRef:
        """The same entries stay the same file under the same key."""
        plain = encode_shard(columns, self.space)
        if plain not in self._shards:
            key = new_key()
            self._shards[plain] = key, encrypt(key, plain, SHARD_ABOUT)
        key, blob = self._shards[plain]
        name = hashlib.sha256(blob).hexdigest()
        self.target(shard_target(name), blob)
        return a_shard(name, len(blob), key, len(columns), removed)


def moment(wall: float) -> datetime:
    return datetime.fromtimestamp(wall, timezone.utc).replace(microsecond=0)


def tuf_reads(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> None:
    """ngclient reads the system's clock; let that be this one."""
    at = types.SimpleNamespace(now=lambda zone: datetime.fromtimestamp(clock.wall_now, zone))
    fake = types.SimpleNamespace(datetime=at, timezone=timezone)
    monkeypatch.setattr(trusted_metadata_set, "datetime", fake)


def _live(columns: Columns, removed: tuple[int, ...]) -> tuple[int, int]:
    gone = sum(int((columns.owner == row).sum()) for row in removed)
    return len(columns) - len(removed), len(columns.owner) - gone


def _envelope(name: str, version: int, key: bytes, device: bytes) -> Any:
    mine = key_id(device)
    return an_envelope(mine, seal(device, key, envelope_info(name, version, mine)))
