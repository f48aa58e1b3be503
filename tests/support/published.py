"""An agency in miniature: it cuts, encrypts and names shards, and keeps what it published."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

from agent.adapters import sealing
from agent.messages.bundle import (
    SHARD_ABOUT,
    EnvelopeFile,
    ListManifest,
    ShardRef,
    envelope_info,
    manifest_about,
)
from agent.watchlist.bundle import a_shard, an_envelope, envelope_bytes, manifest_bytes
from agent.watchlist.columns import Columns
from agent.watchlist.shard import MAX_PLAIN, decode_shard, encode_shard
from agent.watchlist.sharding import Plan, Rewrite, place, plan

LIST = "L-1"
SPACE = "sface"
CREATED, ENDS = 1_800_000_000.0, 1_800_086_400.0


@dataclass
class Publisher:
    """The public folder of one list.

    Attributes:
        shards: encrypted, by name.
        refs: of the version in force, in the order of its manifest.
        version: of it.
    """

    limit: int = MAX_PLAIN
    shards: dict[str, bytes] = field(default_factory=dict)
    refs: tuple[ShardRef, ...] = ()
    version: int = 0

    def publish(self, columns: Columns, rewrite: Rewrite | None = None) -> Plan:
        """The next version. Returns what it was made of."""
        layout = [place(ref, self.decoded(ref)) for ref in self.refs]
        made = plan(layout, columns, rewrite, limit=self.limit)
        self.refs = (*made.kept, *(self._write(columns.pick(rows)) for rows in made.fresh))
        for name in made.dropped:
            del self.shards[name]
        self.version += 1
        return made

    def decoded(self, ref: ShardRef) -> Columns:
        plain = sealing.decrypt(ref.key, self.shards[ref.name], SHARD_ABOUT)
        return decode_shard(plain)[1]

    def manifest(self, columns: Columns, **changes: object) -> ListManifest:
        fields = {
            "list": LIST,
            "version": self.version,
            "created": CREATED,
            "not_after": ENDS,
            "space": SPACE,
            "dim": columns.dim,
            "entries": len(columns),
            "templates": len(columns.owner),
        }
        refs = [ref.model_dump(mode="json") for ref in self.refs]
        return ListManifest.model_validate({**fields, "shards": refs, **changes})

    def _write(self, part: Columns) -> ShardRef:
        key = sealing.new_key()
        blob = sealing.encrypt(key, encode_shard(part, SPACE), SHARD_ABOUT)
        name = hashlib.sha256(blob).hexdigest()
        self.shards[name] = blob
        return a_shard(name, len(blob), key, len(part), ())


def sealed_for(manifest: ListManifest, *public_keys: bytes) -> tuple[bytes, bytes]:
    """The file of envelopes for the owners of these X25519 keys, and the encrypted manifest."""
    key = sealing.new_key()
    about = manifest_about(manifest.list, manifest.version)
    encrypted = sealing.encrypt(key, manifest_bytes(manifest), about)
    envelopes = []
    for public in public_keys:
        name = sealing.key_id(public)
        info = envelope_info(manifest.list, manifest.version, name)
        envelopes.append(an_envelope(name, sealing.seal(public, key, info)))
    file = EnvelopeFile.model_validate(
        {
            "list": manifest.list,
            "version": manifest.version,
            "manifest": hashlib.sha256(encrypted).hexdigest(),
            "envelopes": [
                {"key_id": one.key_id, "sealed": base64.b64encode(one.sealed)} for one in envelopes
            ],
        }
    )
    return envelope_bytes(file), encrypted
