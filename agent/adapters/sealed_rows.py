"""What the catalogue of the sealed store holds, row by row; all of it encrypted there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from agent.adapters.device_identity import base64_of
from agent.messages.bundle import Key, ListManifest, Sha256, Wall

_MAX_VERSIONS: Final = 64


class _Sealed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Held(_Sealed):
    """A shard as it lies here.

    Attributes:
        source: sha256 of the encrypted shard as published.
        rows: entries in the published shard.
        removed: of these, bit by bit (numpy `packbits`), those no longer on the list.
        expired: those whose time is over; they are no more on the list either, but the manifest
            still counts them.
        file: its name here; empty when nothing of it is left.
        size: bytes of that file.
        key: the file is encrypted under this.
        entries, templates: in the file.
        ends: earliest not_after in it, wall seconds.
    """

    source: Sha256
    rows: int = Field(ge=1, le=1_000_000)
    removed: Base64Bytes
    expired: Base64Bytes
    file: str = Field(max_length=64)
    size: int = Field(ge=0)
    key: Key = Field(repr=False)
    entries: int = Field(ge=0)
    templates: int = Field(ge=0)
    ends: Wall | None


class Listed(_Sealed):
    """The list in the store.

    Attributes:
        manifest: of the version, without its shards, whose keys must not stay here.
        shards: their sources, in order.
        sha256: of the manifest as it was signed; empty where that was not noted.
    """

    manifest: ListManifest
    shards: tuple[Sha256, ...]
    sha256: str = ""


class Ended(_Sealed):
    """What is left of a list that was destroyed: which one, when and why."""

    list: str
    version: int
    at: Wall
    reason: Annotated[str, Field(max_length=200)]


class Marks(_Sealed):
    """What the store must not forget, whatever is destroyed.

    Attributes:
        high_water: latest wall time that this device has seen.
        versions: highest version of each list that was ever in here, newest list last.
    """

    high_water: Wall = 0.0
    versions: tuple[tuple[str, int], ...] = ()

    def version_of(self, list_id: str) -> int:
        """0 for a list never seen."""
        return dict(self.versions).get(list_id, 0)

    def with_version(self, list_id: str, version: int) -> Marks:
        others = [pair for pair in self.versions if pair[0] != list_id]
        kept = (*others[1 - _MAX_VERSIONS :], (list_id, max(version, self.version_of(list_id))))
        return self.model_copy(update={"versions": kept})

    def at_least(self, wall: float) -> Marks:
        return self.model_copy(update={"high_water": max(self.high_water, wall)})


class Cached(_Sealed):
    """A blob that can be made again.

    Attributes:
        file: its name.
        size: bytes of it, decrypted.
        key: it is encrypted under this.
    """

    file: str = Field(max_length=64)
    size: int = Field(ge=0)
    key: Key = Field(repr=False)


def new_cached(file: str, size: int, key: bytes) -> Cached:
    """A `Cached` from raw bytes (the model itself takes base64)."""
    return Cached(file=file, size=size, key=base64_of(key))


def new_held(values: Mapping[str, object], *, removed: bytes, expired: bytes, key: bytes) -> Held:
    """A `Held` from raw bytes (the model itself takes base64)."""
    coded = {"removed": removed, "expired": expired, "key": key}
    return Held.model_validate({**values, **{name: base64_of(v) for name, v in coded.items()}})
