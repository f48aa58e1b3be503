"""Signed checkpoints of the audit log: made, written as a record, and checked again.

A checkpoint is an event (`agent.messages.checkpoint`) that names the last record and its hash. The
record that follows that one in the log holds what of the event is not in the record anyway, so
that the event can be put together again from the log alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agent.audit.chain import Link
from agent.messages import iso_utc
from agent.messages.checkpoint import CHECKPOINT_TYPE
from agent.messages.signed import signable, to_bytes, to_text
from agent.values import Wall

KIND: Final = "checkpoint"
_NAME_BYTES: Final = 16
Verify = Callable[[bytes, bytes, bytes], bool]
"""Whether (public key, data, signature) hold: Ed25519, 32 and 64 bytes."""


@dataclass(frozen=True, slots=True)
class CheckpointKey:
    """Who signs.

    Attributes:
        agency, device: whose log it is.
        public: Ed25519 public key, 32 bytes.
        sign: 64 bytes over what it is given; raises RefusedError while the key is locked.
    """

    agency: str
    device: str
    public: bytes
    sign: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that was made.

    Attributes:
        id: ULID.
        last: the record that it covers, with all before.
        time: wall-clock seconds.
        event: signed, JSON values.
    """

    id: str
    last: Link
    time: Wall
    event: Mapping[str, Any]


def make_checkpoint(
    last: Link, first: int, key: CheckpointKey, *, checkpoint_id: str, now: Wall
) -> tuple[Checkpoint, dict[str, str | int]]:
    """A checkpoint of everything up to `last`, and the fields of its record.

    Args:
        last: where the chain stands; at least one record.
        first: number of the first record since the checkpoint before.
        key: who signs.
        checkpoint_id: a ULID.
        now: wall-clock seconds, of event and record.

    Raises:
        RefusedError: the key is locked.
    """
    fields: dict[str, str | int] = {
        "agency": key.agency,
        "device": key.device,
        "id": checkpoint_id,
        "first": first,
        "key": key.public.hex(),
    }
    event = _unsigned(fields, last, iso_utc(now))
    signature = to_text(key.sign(signable(event)))
    fields["signature"] = signature
    return Checkpoint(checkpoint_id, last, now, {**event, "signature": signature}), fields


def event_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The signed event of a checkpoint's record.

    Raises:
        ValueError: it lacks a field, or is the first record of all.
    """
    fields = record["fields"]
    if record["seq"] < 1 or fields.keys() != {*_FIELDS}:
        raise ValueError("not a whole checkpoint")
    last = Link(record["seq"] - 1, record["prev"])
    return {**_unsigned(fields, last, record["time"]), "signature": fields["signature"]}


def signed_by(event: Mapping[str, Any], verify: Verify) -> str:
    """The public key (hexadecimal) whose owner signed an event; empty when it does not hold."""
    try:
        key = bytes.fromhex(event["data"]["key"])
        holds = verify(key, signable(event), to_bytes(event["signature"]))
    except (KeyError, ValueError, TypeError, AttributeError):
        return ""
    return key.hex() if holds and event["signer"] == _name(key) else ""


_FIELDS: Final = ("agency", "device", "id", "first", "key", "signature")


def _unsigned(fields: Mapping[str, str | int], last: Link, time: str) -> dict[str, Any]:
    key = str(fields["key"])
    return {
        "specversion": "1.0",
        "id": fields["id"],
        "source": f"/{fields['agency']}/{fields['device']}",
        "type": CHECKPOINT_TYPE,
        "time": time,
        "datacontenttype": "application/json",
        "data": {"first": fields["first"], "last": last.seq, "hash": last.hash, "key": key},
        "signer": _name(bytes.fromhex(key)),
    }


def _name(public: bytes) -> str:
    """As `agent.adapters.sealing.key_id`, which needs a library that is not at hand here."""
    return hashlib.sha256(public).digest()[:_NAME_BYTES].hex()
