"""Everything that reads what others wrote: lists, and messages."""

from __future__ import annotations

import base64
import hashlib
import json
from random import Random

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pydantic import BaseModel, ValidationError

from agent.adapters import sealing
from agent.errors import BodycamError, DataError, RefusedError
from agent.messages.bundle import envelope_info, manifest_about
from agent.messages.provisioning import (
    ProvisioningFile,
    ProvisioningRequest,
    UnlockRelease,
    UnlockRequest,
    authenticated,
)
from agent.values import Wall
from agent.watchlist import listfile, shard
from agent.watchlist.arrival import ArrivalRules, check_arrival
from agent.watchlist.bundle import (
    assemble,
    manifest_bytes,
    open_bundle,
    parse_envelopes,
    parse_manifest,
)
from agent.watchlist.columns import Columns
from agent.watchlist.sharding import fingerprints
from tests.fuzz.logs import log_subjects
from tests.fuzz.metadata import metadata_subject
from tests.fuzz.mutate import Container, in_one, joined, parted, scramble, twist
from tests.fuzz.positions import position_subject
from tests.fuzz.watch import Subject
from tests.fuzz.wire import wire_subjects
from tests.support.lists import SPACE, a_list, a_meta, columns_of, some_columns, units
from tests.support.published import CREATED, LIST, Publisher, sealed_for

KEY = X25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
SECRET = bytes(range(32))
RULES = ArrivalRules(("consent",), ("test",), 1_000_000, 31 * 86_400.0)
NOW = Wall(CREATED + 60.0)


def subjects() -> tuple[Subject, ...]:
    """All of them, each with the seeds it starts from."""
    return (
        shard_subject(),
        listfile_subject(),
        manifest_subject(),
        envelopes_subject(),
        bundle_subject(),
        arrival_subject(),
        sealing_subject(),
        *(message_subject(kind, fields) for kind, fields in _MESSAGES),
        *wire_subjects(),
        *log_subjects(),
        metadata_subject(),
        position_subject(),
    )


def shard_subject() -> Subject:
    def run(data: bytes) -> None:
        space, columns = shard.decode_shard(data)
        kept = shard.decode_shard(shard.encode_shard(columns, space))[1]
        if [kept.meta(row) for row in range(len(kept))] != [
            columns.meta(row) for row in range(len(columns))
        ]:
            raise AssertionError("what was read is not what is written")

    container = Container(shard.PREFIX, 8, checksum=False)
    seeds = tuple(shard.encode_shard(columns, SPACE) for columns in _rolls())
    return Subject("shard", seeds, container.mutate, run, (DataError,))


def listfile_subject() -> Subject:
    container = Container(listfile.PREFIX, 64, checksum=True)
    seeds = tuple(listfile.as_bytes(a_list(columns)) for columns in _rolls())
    return Subject("list file", seeds, container.mutate, listfile.parse, (DataError,))


def manifest_subject() -> Subject:
    def run(data: bytes) -> None:
        manifest = parse_manifest(data)
        if parse_manifest(manifest_bytes(manifest)) != manifest:
            raise AssertionError("what was read is not what is written")

    return Subject("manifest", (_published()[0],), twist, run, (DataError,))


def envelopes_subject() -> Subject:
    publisher, columns = _world()
    seed, _ = sealed_for(publisher.manifest(columns), PUBLIC, bytes([9]) * 32)
    return Subject("envelopes", (seed,), twist, parse_envelopes, (DataError,))


def bundle_subject() -> Subject:
    """Envelopes and encrypted manifest; half of them sealed and encrypted again after a change."""

    def run(data: bytes) -> None:
        envelopes, encrypted, *_ = [*parted(data), b"", b""]
        open_bundle(
            envelopes,
            encrypted,
            list_id=LIST,
            key_id=sealing.key_id(PUBLIC),
            unseal=lambda blob, info: sealing.unseal(KEY, blob, info),
            decrypt=sealing.decrypt,
        )

    publisher, columns = _world()
    seed = joined(*sealed_for(publisher.manifest(columns), PUBLIC))
    changed = in_one(twist, scramble)

    def mutate(rng: Random, data: bytes) -> bytes:
        if rng.random() < 0.5:
            return changed(rng, data)
        plain = twist(rng, manifest_bytes(publisher.manifest(columns)))
        key = SECRET if rng.random() < 0.8 else rng.randbytes(rng.choice((0, 1, 16, 31, 33, 64)))
        return _resealed(plain, key)

    return Subject("bundle", (seed,), mutate, run, (DataError,))


def arrival_subject() -> Subject:
    """A manifest and its shards, up to the moment of use."""

    def run(data: bytes) -> None:
        text, *blobs = [*parted(data), b""]
        manifest = parse_manifest(text)
        shards = [
            (ref, *shard.decode_shard(blob))
            for ref, blob in zip(manifest.shards, blobs, strict=False)
        ]
        stored = assemble(manifest, shards)
        check_arrival(stored, manifest, rules=RULES, space=SPACE, now=NOW, high_water=Wall(CREATED))
        fingerprints(stored.columns)

    container = Container(shard.PREFIX, 8, checksum=False)
    mutate = in_one(twist, container.mutate)
    return Subject("arrival", (joined(*_published()),), mutate, run, (DataError, RefusedError))


def sealing_subject() -> Subject:
    def run(data: bytes) -> None:
        sealed, encrypted, *_ = [*parted(data), b"", b""]
        sealing.unseal(KEY, sealed, b"info")
        sealing.decrypt(SECRET, encrypted, b"about")

    seed = joined(
        sealing.seal(PUBLIC, b"a secret", b"info"), sealing.encrypt(SECRET, b"data", b"about")
    )
    return Subject("sealing", (seed,), in_one(scramble), run, (DataError,))


def message_subject(kind: type[BaseModel], fields: dict[str, object]) -> Subject:
    def run(data: bytes) -> None:
        message = kind.model_validate_json(data)
        if isinstance(message, ProvisioningRequest):
            authenticated(message)
        if isinstance(message, ProvisioningFile):
            sealing.seal(message.release_key, bytes(32), b"info")
        if kind.model_validate_json(message.model_dump_json()) != message:
            raise AssertionError("what was read is not what is written")

    keys = {name for name, field in kind.model_fields.items() if field.is_required()}
    seed = json.dumps(dict.fromkeys(keys, _B64) | fields).encode()
    return Subject(kind.__name__, (seed,), twist, run, (ValidationError, BodycamError))


_B64 = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk="
_NAMES: dict[str, object] = {"agency": "city", "device": "cam-1"}
_MESSAGES: tuple[tuple[type[BaseModel], dict[str, object]], ...] = (
    (
        ProvisioningFile,
        {
            **_NAMES,
            "url": "https://lists.example/repository",
            "root": "e30=",
            "release_key": _B64,
            "alert_key": _B64,
            "ack_key": _B64,
            "token": _B64,
            "token_not_after": CREATED,
            "unlock": "hub",
        },
    ),
    (
        ProvisioningRequest,
        {
            **_NAMES,
            "seal_key": _B64,
            "sign_key": _B64,
            "unlock": "hub",
            "store_key": "AAAA",
            "mac": "0" * 64,
        },
    ),
    (UnlockRequest, {**_NAMES, "ephemeral": _B64, "created": CREATED}),
    (UnlockRelease, {**_NAMES, "sealed": "AAAA"}),
)


def _rolls() -> tuple[Columns, ...]:
    metas = [a_meta(n, authorisation=f"A-{n}", not_after=1.9e9 + n) for n in range(300)]
    return (
        some_columns(1, dim=8),
        some_columns(3),
        columns_of(metas[:4], [1, 2, 3, 1], units(7, 32)),
        columns_of(metas, [1] * 300, units(300, 8)),
    )


def _world() -> tuple[Publisher, Columns]:
    publisher, columns = Publisher(limit=1_500), some_columns(30)
    publisher.publish(columns)
    columns = columns.take(~np.isin(columns.entry, [b"E-1", b"E-2", b"E-30"]))
    publisher.publish(columns)
    return publisher, columns


def _published() -> tuple[bytes, ...]:
    """A manifest, and its shards decrypted."""
    publisher, columns = _world()
    plain = [shard.encode_shard(publisher.decoded(ref), SPACE) for ref in publisher.refs]
    return (manifest_bytes(publisher.manifest(columns)), *plain)


def _resealed(plain: bytes, key: bytes) -> bytes:
    """An agency, or who holds its keys, that signs nonsense."""
    about = manifest_about(LIST, 2)
    encrypted = sealing.encrypt(SECRET, plain, about)
    name = sealing.key_id(PUBLIC)
    sealed = sealing.seal(PUBLIC, key, envelope_info(LIST, 2, name))
    return joined(_envelope_file(name, sealed, encrypted), encrypted)


def _envelope_file(name: str, sealed: bytes, encrypted: bytes) -> bytes:
    return json.dumps(
        {
            "list": LIST,
            "version": 2,
            "manifest": hashlib.sha256(encrypted).hexdigest(),
            "envelopes": [{"key_id": name, "sealed": base64.b64encode(sealed).decode()}],
        }
    ).encode()
