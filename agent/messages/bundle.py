"""A published watchlist: the manifest, and the envelopes that hold its key.

A list is three kinds of static file: one encrypted manifest that names the shards and holds their
keys, one file of envelopes with the manifest's key sealed to each device, and the encrypted
shards, each named by the sha256 of what the file server stores. The server learns sizes, which
shards change and how many devices there are.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, model_validator

from agent.messages.match import OpaqueId

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
KeyId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Key = Annotated[Base64Bytes, Field(min_length=32, max_length=32)]
Wall = Annotated[float, Field(ge=0, le=32503680000.0)]
Version = Annotated[int, Field(ge=1, le=2**53)]
Row = Annotated[int, Field(ge=0, lt=1_000_000)]

MAX_SHARD = 1 << 20
"""Bytes of one shard as stored on the server."""
MAX_SHARDS = 4096
MAX_MANIFEST = 16 << 20
"""Bytes of the encrypted manifest: 4,096 shards with every tenth of a million rows removed."""
MAX_DEVICES = 100_000
MAX_ENVELOPES = 32 << 20
"""Bytes of the envelope file."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ShardRef(_Strict):
    """One shard of a list.

    Attributes:
        name: sha256 of the encrypted shard; its target is `lists/<name>.shard`.
        length: bytes of the encrypted shard.
        key: it is encrypted under this.
        entries: entries in it, removed ones included.
        removed: rows of it that are no longer on the list, rising.
    """

    name: Sha256
    length: int = Field(ge=1, le=MAX_SHARD)
    key: Key = Field(repr=False)
    entries: int = Field(ge=1, le=1_000_000)
    removed: Annotated[tuple[Row, ...], Field(max_length=1_000_000)] = ()

    @model_validator(mode="after")
    def _rows_in_order(self) -> ShardRef:
        rows = self.removed
        if any(one >= other for one, other in pairwise(rows)):
            raise ValueError("removed: rows must rise")
        if rows and rows[-1] >= self.entries:
            raise ValueError("removed: no such row")
        return self


class ListManifest(_Strict):
    """One version of a list.

    Attributes:
        list, version: which one.
        created: when the agency made this version, wall seconds.
        not_after: nothing of it may be used from then on, wall seconds.
        space: family of embedders whose vectors may be compared with these.
        dim: numbers in a vector.
        entries, templates: how many there are, removed ones not counted.
    """

    format: Literal["bodycam.list.v1"] = "bodycam.list.v1"
    list: OpaqueId
    version: Version
    created: Wall
    not_after: Wall
    space: OpaqueId
    dim: int = Field(ge=8, le=2048)
    entries: int = Field(ge=0, le=1_000_000)
    templates: int = Field(ge=0, le=1_000_000)
    shards: Annotated[tuple[ShardRef, ...], Field(max_length=MAX_SHARDS)]

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> ListManifest:
        if self.not_after <= self.created:
            raise ValueError("not_after must be later than created")
        return self


class Envelope(_Strict):
    """The manifest's key for one device.

    Attributes:
        key_id: of the device's X25519 key.
        sealed: HPKE of the 32 bytes.
    """

    key_id: KeyId
    sealed: Base64Bytes = Field(min_length=48, max_length=256)


class EnvelopeFile(_Strict):
    """The envelopes of one version of a list.

    Attributes:
        list, version: which one.
        manifest: sha256 of the encrypted manifest they belong to.
    """

    format: Literal["bodycam.envelopes.v1"] = "bodycam.envelopes.v1"
    list: OpaqueId
    version: Version
    manifest: Sha256
    envelopes: Annotated[tuple[Envelope, ...], Field(max_length=MAX_DEVICES)]


def manifest_target(list_id: str) -> str:
    """Name of the target."""
    return f"lists/{list_id}.manifest"


def envelopes_target(list_id: str) -> str:
    """Name of the target."""
    return f"lists/{list_id}.envelopes"


def shard_target(name: str) -> str:
    """Name of the target of the shard with this sha256."""
    return f"lists/{name}.shard"


def manifest_about(list_id: str, version: int) -> bytes:
    """What the encryption of a manifest is bound to."""
    return f"bodycam.list.v1/{list_id}/{version}".encode()


def envelope_info(list_id: str, version: int, key_id: str) -> bytes:
    """What an envelope is bound to."""
    return f"bodycam.envelopes.v1/{list_id}/{version}/{key_id}".encode()


SHARD_ABOUT = b"bodycam.shard.v1"
"""What the encryption of a shard is bound to; it may move from version to version."""
