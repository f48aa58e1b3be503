"""One version of a list, made in memory: shards, manifest, envelopes and what may be told of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from agent.adapters.sealing import encrypt, new_key, seal
from agent.hub.changes import Difference, embedders, over
from agent.hub.devices import Device
from agent.hub.list_values import Facts, PhotoRow, Since
from agent.hub.present import Present
from agent.hub.progress import Progress
from agent.messages.bundle import (
    SHARD_ABOUT,
    Envelope,
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
from agent.watchlist.sharding import Plan, Rewrite


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """What the next version is to be.

    Attributes:
        columns: all its entries, with vectors of unit length; those that are over are left out.
        space: family of embedders that made the vectors.
        not_after: end of the list, wall seconds.
        rewrite: shards that may not stay as they are.
        command: for the report.
        destroy: delete shards from the public folder at once that this version replaces; else they
            stay for a grace time, for devices in the middle of a download.
        photos: behind entries, where they were made of photographs.
        rejected: photographs by reason.
        duplicates: near-duplicates found; None when not looked for.
    """

    columns: Columns
    space: str
    not_after: float
    rewrite: Rewrite = field(default_factory=Rewrite)
    command: str = "publish"
    destroy: bool = False
    photos: tuple[PhotoRow, ...] = ()
    rejected: dict[str, int] = field(default_factory=dict)
    duplicates: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """What a version is made of.

    Attributes:
        list_id: of the list.
        now: when it is made, wall seconds.
        present: the version before.
        order: what is wanted.
        columns: the entries, none of them over.
        changed: against the version before.
        planned: which shard holds what.
        recipients: who may read it.
        signers: key ids of the `lists` role.
    """

    list_id: str
    now: float
    present: Present
    order: Order
    columns: Columns
    changed: Difference
    planned: Plan
    recipients: Sequence[Device]
    signers: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A version as it will be published.

    Attributes:
        manifest: not encrypted.
        sealed: the encrypted manifest.
        since: when each row came onto the list.
        files: targets that are new.
        facts: for the report.
    """

    manifest: ListManifest
    sealed: bytes
    since: Since
    files: dict[str, bytes]
    facts: Facts


def make_version(draft: Draft, progress: Progress) -> Version:
    """Encrypt shards that are new, and the manifest under a new key for each recipient.

    Raises:
        DataError: an entry breaks a rule.
    """
    refs, files = _shards(draft, progress)
    manifest = _manifest(draft, refs)
    key = new_key()
    about = manifest_about(draft.list_id, manifest.version)
    sealed = encrypt(key, manifest_bytes(manifest), about)
    files[manifest_target(draft.list_id)] = sealed
    files[envelopes_target(draft.list_id)] = _envelopes(draft, manifest.version, key, sealed)
    facts = _facts(draft, manifest, files)
    return Version(manifest, sealed, _since(draft), files, facts)


def _shards(draft: Draft, progress: Progress) -> tuple[list[ShardRef], dict[str, bytes]]:
    refs: list[ShardRef] = []
    files: dict[str, bytes] = {}
    for number, rows in enumerate(draft.planned.fresh, 1):
        key = new_key()
        plain = encode_shard(draft.columns.pick(rows), draft.order.space)
        blob = encrypt(key, plain, SHARD_ABOUT)
        name = hashlib.sha256(blob).hexdigest()
        refs.append(a_shard(name, len(blob), key, len(rows), ()))
        files[shard_target(name)] = blob
        progress("encrypting shards", number, len(draft.planned.fresh))
    return refs, files


def _manifest(draft: Draft, refs: Sequence[ShardRef]) -> ListManifest:
    columns = draft.columns
    return ListManifest(
        list=draft.list_id,
        version=draft.present.stored.version + 1,
        created=draft.now,
        not_after=draft.order.not_after,
        space=draft.order.space,
        dim=columns.dim,
        entries=len(columns),
        templates=len(columns.owner),
        shards=(*draft.planned.kept, *refs),
    )


def _envelopes(draft: Draft, version: int, key: bytes, sealed: bytes) -> bytes:
    file = EnvelopeFile(
        list=draft.list_id,
        version=version,
        manifest=hashlib.sha256(sealed).hexdigest(),
        envelopes=tuple(_envelope(draft.list_id, version, key, one) for one in draft.recipients),
    )
    return envelope_bytes(file)


def _envelope(list_id: str, version: int, key: bytes, device: Device) -> Envelope:
    info = envelope_info(list_id, version, device.key_id)
    return an_envelope(device.key_id, seal(device.seal_key, key, info))


def _facts(draft: Draft, manifest: ListManifest, files: dict[str, bytes]) -> Facts:
    old, changed, planned = draft.present.stored.columns, draft.changed, draft.planned
    ended = set(old.entry[over(old, draft.now)].tolist())
    return Facts(
        version=manifest.version,
        created=manifest.created,
        not_after=manifest.not_after,
        command=draft.order.command,
        entries=manifest.entries,
        templates=manifest.templates,
        added=len(changed.added),
        removed=len(changed.removed),
        replaced=len(changed.replaced),
        expired=sum(one.encode("ascii") in ended for one in changed.removed),
        devices=tuple(one.key_id for one in draft.recipients),
        keys=draft.signers,
        shards=len(manifest.shards),
        new_shards=len(planned.fresh),
        new_bytes=sum(map(len, files.values())),
        rekeyed=bool(draft.present.layout) and not planned.kept,
        rejected=draft.order.rejected,
        duplicates=draft.order.duplicates,
        embedder=embedders(draft.columns),
    )


def _since(draft: Draft) -> Since:
    """When each row of the new layout came onto the list: what was there keeps its time."""
    parts: list[Since] = [np.zeros(0)]
    known: dict[bytes, float] = {}
    kept = {ref.name for ref in draft.planned.kept}
    at = 0
    for placed in draft.present.layout:
        times = draft.present.since[at : at + len(placed.entry)]
        at += len(placed.entry)
        if placed.ref.name in kept:
            parts.append(times)
        live = np.ones(len(times), np.bool_)
        live[list(placed.ref.removed)] = False
        known.update(zip(placed.entry[live].tolist(), times[live].tolist(), strict=True))
    for rows in draft.planned.fresh:
        entries = draft.columns.entry[rows].tolist()
        parts.append(np.array([known.get(one, draft.now) for one in entries], np.float64))
    return np.concatenate(parts)
