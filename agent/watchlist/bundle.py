"""From the files of a published list to its entries, and back: rules without I/O.

The steps of a device: `open_bundle` (envelope, key, manifest), each shard `decode_shard`,
`live_rows` and then `assemble`. What a file server or a half-written disk can do to any of them
ends in one line.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from agent.errors import DataError
from agent.messages.bundle import (
    MAX_ENVELOPES,
    MAX_MANIFEST,
    Envelope,
    EnvelopeFile,
    ListManifest,
    ShardRef,
    envelope_info,
    manifest_about,
)
from agent.watchlist.check import check_unique
from agent.watchlist.columns import Columns, StoredList, concat, no_entries

_Model = TypeVar("_Model", bound=BaseModel)
_PROBLEMS = 3
_KEY_BYTES = 32


def a_shard(name: str, length: int, key: bytes, entries: int, removed: Iterable[int]) -> ShardRef:
    """A `ShardRef` from the 32 raw bytes of its key (the model itself takes base64)."""
    coded = base64.b64encode(key)
    return ShardRef(name=name, length=length, key=coded, entries=entries, removed=tuple(removed))


def an_envelope(key_id: str, sealed: bytes) -> Envelope:
    """An `Envelope` from raw bytes (the model itself takes base64)."""
    return Envelope(key_id=key_id, sealed=base64.b64encode(sealed))


def manifest_bytes(manifest: ListManifest) -> bytes:
    """The one text of a manifest, not yet encrypted.

    Raises:
        DataError: it breaks a rule of `parse_manifest`.
    """
    data = manifest.model_dump_json().encode("ascii")
    parse_manifest(data)
    return data


def parse_manifest(data: bytes) -> ListManifest:
    """Read a decrypted manifest.

    Raises:
        DataError: every shape, size and sum that does not agree, on one line.
    """
    manifest = _parsed(ListManifest, data, MAX_MANIFEST, "list manifest")
    _check_distinct([ref.name for ref in manifest.shards], "list manifest: the same shard twice")
    live = sum(ref.entries - len(ref.removed) for ref in manifest.shards)
    if live != manifest.entries:
        raise DataError(f"list manifest: {manifest.entries} entries, its shards hold {live}")
    if manifest.templates < manifest.entries:
        raise DataError("list manifest: fewer templates than entries")
    if 2 * manifest.dim * manifest.templates > sum(ref.length for ref in manifest.shards):
        raise DataError("list manifest: more templates than its shards can hold")
    return manifest


def envelope_bytes(envelopes: EnvelopeFile) -> bytes:
    """The file of envelopes.

    Raises:
        DataError: it breaks a rule of `parse_envelopes`.
    """
    data = envelopes.model_dump_json().encode("ascii")
    parse_envelopes(data)
    return data


def parse_envelopes(data: bytes) -> EnvelopeFile:
    """Read the file of envelopes.

    Raises:
        DataError: what is wrong with it, on one line.
    """
    envelopes = _parsed(EnvelopeFile, data, MAX_ENVELOPES, "envelope file")
    ids = [envelope.key_id for envelope in envelopes.envelopes]
    _check_distinct(ids, "envelope file: two envelopes for one device")
    return envelopes


def my_envelope(envelopes: EnvelopeFile, key_id: str) -> Envelope:
    """The envelope of the device with this key.

    Raises:
        DataError: there is none: the agency took the device off the list, or never put it there.
    """
    for envelope in envelopes.envelopes:
        if envelope.key_id == key_id:
            return envelope
    raise DataError(
        f"list {envelopes.list} version {envelopes.version}: not for this device (key {key_id}); "
        "the agency must add it"
    )


def check_manifest_hash(envelopes: EnvelopeFile, encrypted: bytes) -> None:
    """Whether these envelopes belong to this encrypted manifest.

    Raises:
        DataError: they are of different versions.
    """
    if hashlib.sha256(encrypted).hexdigest() != envelopes.manifest:
        raise DataError(
            f"list {envelopes.list} version {envelopes.version}: envelopes of another manifest"
        )


def check_agreement(envelopes: EnvelopeFile, manifest: ListManifest, list_id: str) -> None:
    """Whether all say that they are the same version of the list that was asked for.

    Raises:
        DataError: they do not.
    """
    for what, name in (("envelopes", envelopes.list), ("manifest", manifest.list)):
        if name != list_id:
            raise DataError(f"list {list_id}: has the {what} of {name}")
    if envelopes.version != manifest.version:
        raise DataError(
            f"list {list_id}: envelopes of version {envelopes.version}, manifest of version "
            f"{manifest.version}"
        )


def open_bundle(
    envelope_file: bytes,
    encrypted: bytes,
    *,
    list_id: str,
    key_id: str,
    unseal: Callable[[bytes, bytes], bytes],
    decrypt: Callable[[bytes, bytes, bytes], bytes],
) -> ListManifest:
    """The manifest, for the device that holds the key.

    Args:
        envelope_file: bytes of the target `lists/LIST.envelopes`.
        encrypted: bytes of the target `lists/LIST.manifest`.
        list_id: LIST.
        key_id: of this device's X25519 key.
        unseal: (sealed, info) -> what was sealed to this device.
        decrypt: (key, blob, about) -> plaintext.

    Raises:
        DataError: which of the files is not what it should be; also from `unseal` and `decrypt`.
    """
    envelopes = parse_envelopes(envelope_file)
    check_manifest_hash(envelopes, encrypted)
    mine = my_envelope(envelopes, key_id)
    key = unseal(mine.sealed, envelope_info(list_id, envelopes.version, key_id))
    if len(key) != _KEY_BYTES:
        raise DataError(f"list {list_id}: its envelope holds no key")
    plain = decrypt(key, encrypted, manifest_about(list_id, envelopes.version))
    manifest = parse_manifest(plain)
    check_agreement(envelopes, manifest, list_id)
    return manifest


def live_rows(ref: ShardRef, columns: Columns) -> Columns:
    """The entries of a shard that are still on the list: without the removed rows.

    Raises:
        DataError: the shard does not hold as many entries as the manifest says.
    """
    if len(columns) != ref.entries:
        raise DataError(
            f"watchlist shard {ref.name[:12]}: {len(columns)} entries, the manifest says "
            f"{ref.entries}"
        )
    keep = np.ones(len(columns), np.bool_)
    keep[list(ref.removed)] = False
    return columns.take(keep)


def assemble(manifest: ListManifest, shards: Iterable[tuple[ShardRef, str, Columns]]) -> StoredList:
    """The whole list of a version.

    Args:
        manifest: of the version.
        shards: every shard the manifest names, each once, with its embedder family and all its
            rows as decoded. Taken one at a time, so that a generator keeps memory low.

    Raises:
        DataError: shards and manifest do not agree, or an entry is there twice.
    """
    stored = join(manifest, _checked(manifest, shards))
    entries, templates = len(stored.columns), len(stored.columns.owner)
    if (entries, templates) != (manifest.entries, manifest.templates):
        raise DataError(
            f"list {manifest.list}: {entries} entries with {templates} templates, the manifest "
            f"says {manifest.entries} with {manifest.templates}"
        )
    return stored


def join(manifest: ListManifest, parts: Iterable[Columns]) -> StoredList:
    """A list of live rows, which may be fewer than the manifest says: what a store still holds.

    Args:
        manifest: of the version.
        parts: columns, taken one at a time; their vectors are copied into one array.

    Raises:
        DataError: another dimension, more templates than the manifest says, or an entry twice.
    """
    room = np.empty((manifest.templates, manifest.dim), np.float32)
    light: list[Columns] = []
    used = 0
    for part in parts:
        end = used + len(part.owner)
        if part.dim != manifest.dim or end > len(room):
            raise DataError(f"list {manifest.list}: more in its shards than the manifest says")
        room[used:end] = part.vectors
        light.append(replace(part, vectors=part.vectors[:, :0].copy()))
        used = end
    filled = [part for part in light if len(part)]
    columns = concat(filled) if filled else no_entries(manifest.dim)
    check_unique(columns.entry)
    columns = replace(columns, vectors=room[:used])
    return StoredList(manifest.list, manifest.version, manifest.space, columns)


def _checked(
    manifest: ListManifest, shards: Iterable[tuple[ShardRef, str, Columns]]
) -> Iterable[Columns]:
    wanted = {ref.name for ref in manifest.shards}
    for ref, space, columns in shards:
        if ref.name not in wanted:
            raise DataError(f"watchlist shard {ref.name[:12]}: not in the manifest, or there twice")
        wanted.remove(ref.name)
        if (space, columns.dim) != (manifest.space, manifest.dim):
            raise DataError(
                f"watchlist shard {ref.name[:12]}: {columns.dim} numbers of {space!r}, the "
                f"manifest says {manifest.dim} of {manifest.space!r}"
            )
        yield live_rows(ref, columns)
    if wanted:
        raise DataError(f"list {manifest.list}: {len(wanted)} of its shards are missing")


def _parsed(model: type[_Model], data: bytes, limit: int, what: str) -> _Model:
    if len(data) > limit:
        raise DataError(f"{what}: {len(data)} bytes, at most {limit} are possible")
    try:
        return model.model_validate_json(data, strict=True)
    except ValidationError as error:
        listed = error.errors(include_url=False, include_context=False, include_input=False)
        problems = "; ".join(_problem(item["loc"], item["msg"]) for item in listed[:_PROBLEMS])
        more = f"; and {len(listed) - _PROBLEMS} more" if len(listed) > _PROBLEMS else ""
        raise DataError(f"{what}: {problems}{more}") from None


def _problem(path: tuple[int | str, ...], message: str) -> str:
    """Names, never the contents: a manifest holds keys. Foreign field names are cut and quoted."""
    where = ".".join(_printable(str(part)) for part in path)
    said = _printable(message.removeprefix("Value error, "), 120)
    return f"{where}: {said}" if where else said


def _printable(text: str, limit: int = 40) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii").translate(_CONTROLS)[:limit]


_CONTROLS = dict.fromkeys((*range(32), 127), "?")


def _check_distinct(names: Sequence[str], problem: str) -> None:
    if len(set(names)) != len(names):
        raise DataError(problem)
