"""What the hub knows of a list: values, and how they are written down."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from agent.messages.bundle import ListManifest
from agent.watchlist.bundle import manifest_bytes, parse_manifest

_HEAD: Final = struct.Struct("<I")

Since = npt.NDArray[np.float64]
"""Wall seconds at which rows came onto a list."""


@dataclass(frozen=True, slots=True)
class ListRecord:
    """A list of this hub.

    Attributes:
        id: opaque, what devices and the file server see.
        name: what people at the hub call it; it never leaves the hub.
        created: wall seconds.
    """

    id: str
    name: str
    created: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What may be told of a version: counts, dates and ids of keys, nothing of a person.

    Attributes:
        version: of the list.
        created, not_after: wall seconds.
        command: what made it: `publish` or `revoke`.
        entries, templates: on the list.
        added, removed, replaced: entries, against the version before.
        expired: entries of `removed` whose time was over.
        devices: key ids of the recipients.
        keys: key ids of the `lists` role.
        shards, new_shards: in all, and of these not in the version before.
        new_bytes: of shards and manifest that a device of the version before has to fetch.
        rekeyed: no shard key of the version before is in use.
        rejected: photographs by reason.
        duplicates: near-duplicates across subjects; None when not looked for.
        embedder: networks that made the templates, with the number of templates.
    """

    version: int
    created: float
    not_after: float
    command: str
    entries: int
    templates: int
    added: int = 0
    removed: int = 0
    replaced: int = 0
    expired: int = 0
    devices: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    shards: int = 0
    new_shards: int = 0
    new_bytes: int = 0
    rekeyed: bool = False
    rejected: dict[str, int] = field(default_factory=dict)
    duplicates: int | None = None
    embedder: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ListState:
    """What the hub must know of the published version to make the next.

    Attributes:
        manifest: with the keys of the shards.
        since: when each row came onto the list, wall seconds; in the order of the shards, removed
            rows included.
    """

    manifest: ListManifest
    since: Since


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """A photograph that is behind an entry from a version on."""

    entry: str
    sha256: str
    recipe: str
    path: str


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """A version that is about to be published.

    Attributes:
        manifest: sha256 of the encrypted manifest.
        state: with the keys of the shards.
        facts: for the report.
        photos: behind entries that are new or replaced.
        gone: entries that are removed or replaced.
    """

    manifest: str
    state: ListState
    facts: Facts
    photos: Sequence[PhotoRow]
    gone: Sequence[str]


def packed(state: ListState) -> bytes:
    """A state as bytes."""
    manifest = manifest_bytes(state.manifest)
    return _HEAD.pack(len(manifest)) + manifest + state.since.astype("<f8").tobytes()


def unpacked(data: bytes) -> ListState:
    """What `packed` made."""
    end = _HEAD.size + _HEAD.unpack_from(data)[0]
    return ListState(parse_manifest(data[_HEAD.size : end]), np.frombuffer(data[end:], "<f8"))


def facts_of(read: dict[str, Any]) -> Facts:
    """From what `dataclasses.asdict` made, by way of JSON."""
    return Facts(**{**read, "devices": tuple(read["devices"]), "keys": tuple(read["keys"])})
