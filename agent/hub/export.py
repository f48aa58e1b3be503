"""An alert with its proofs, as a folder of files that others can check without this program.

The same event, reviews and keys give the same bytes. What the device signed, what the hub
acknowledged and what reviewers decided are each checked with one public key; SHA256SUMS covers
every file and is signed with the key of the acknowledgement, so that the opened event, which
nobody without the agency's key can compare with the sealed one, is the hub's signed word.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.adapters.sealing import key_id
from agent.adapters.signing import Signs
from agent.errors import MissingFileError, UsageError
from agent.hub.casebook import Casebook
from agent.hub.event_store import StoredEvent
from agent.hub.files import Disk
from agent.hub.verify_export import SIGNATURE, SUMS, sums_of
from agent.messages import iso_utc
from agent.messages.signed import signable, to_bytes

_README: Final = """\
An alert of a body camera, with its proofs

event.json          as the agency's hub received it; its data is sealed to the agency
event.opened.json   what was sealed, as the hub opened it
event.signed        the bytes that the camera signed (event.json without its signature, canonical)
event.sig           the camera's signature, Ed25519
device.pub.pem      the camera's public key, as it was registered; see device.json
ack.json            the hub's acknowledgement, made when the event was on its disk
ack.signed ack.sig  its bytes and signature; hub.pub.pem is the hub's public key
review-N.json       what a reviewer decided; .signed, .sig and .pub.pem belong to it
SHA256SUMS          every other file; SHA256SUMS.sig is the hub's signature over it

With OpenSSL 3 and coreutils, in this folder:

  sha256sum -c SHA256SUMS
  openssl pkeyutl -verify -pubin -inkey hub.pub.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig
  openssl pkeyutl -verify -pubin -inkey device.pub.pem -rawin -in event.signed -sigfile event.sig
  openssl pkeyutl -verify -pubin -inkey hub.pub.pem -rawin -in ack.signed -sigfile ack.sig

and the same for each review-N. Or: bodycam-hub export --verify THIS-FOLDER

A key in this folder proves nothing by itself: compare the sha256 of its last 32 bytes (DER) with
what the agency has published, or with the register of cameras. The first 32 digits are the name of
the key, which event.json, ack.json and review-N.json give as `signer`.

A match is an investigative lead, not an identification.
"""


def export_event(
    book: Casebook, stored: StoredEvent, signer: Signs, register: Mapping[str, Any]
) -> dict[str, bytes]:
    """The files of an export, name to bytes.

    Args:
        book: reviews, and the opened event.
        stored: which event.
        signer: the key that acknowledged it.
        register: what the hub knows of the camera, JSON values.

    Raises:
        MissingFileError: the event was purged, or was never acknowledged.
        UsageError: the signer is not who acknowledged it.
    """
    if stored.payload is None:
        raise MissingFileError(f"event {stored.id}: was purged")
    rows = book.store.database.read("SELECT message, public FROM ack WHERE number = ?", stored.ack)
    if not rows:
        raise MissingFileError(f"event {stored.id}: has no acknowledgement; restore a copy")
    ack, public = bytes(rows[0][0]), bytes(rows[0][1])
    if signer.sign_key != public:
        raise UsageError(f"event {stored.id}: acknowledged with key {key_id(public)}")
    files = {
        "README.txt": _README.encode(),
        "event.json": stored.payload,
        "event.opened.json": pretty(book.store.opened(stored)),
        "device.json": pretty(register),
        "device.pub.pem": _pem(stored.sign_key),
        "hub.pub.pem": _pem(public),
        "ack.json": ack,
        **_proof("event", stored.payload),
        **_proof("ack", ack),
        **_reviews(book, stored),
    }
    sums = sums_of(files)
    return dict(sorted({**files, SUMS: sums, SIGNATURE: signer.sign(sums)}.items()))


def write_export(folder: Path, files: Mapping[str, bytes], disk: Disk, *, when: float) -> None:
    """Write the files; times of files are that of the event.

    Raises:
        UsageError: the folder has something in it.
        DiskError: it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: is there already, and not empty")
    for name, data in files.items():
        disk.write(folder / name, data, when=when, mode=0o600)


def device_facts(stored: StoredEvent, agency: str, rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    """What the hub knows of the camera: `rows` has (added, removed) from its register."""
    added, removed = rows[0] if rows else (None, None)
    return {
        "agency": agency,
        "device": stored.device,
        "device_key": stored.device_key,
        "sign_key": stored.sign_key.hex(),
        "signer": key_id(stored.sign_key),
        "registered": None if added is None else iso_utc(added),
        "removed": None if removed is None else iso_utc(removed),
        "event_received": iso_utc(stored.received),
    }


def pretty(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, indent=2).encode() + b"\n"


def _reviews(book: Casebook, stored: StoredEvent) -> dict[str, bytes]:
    keys = {one.key_id: one.public for one in book.reviewers.every()}
    files: dict[str, bytes] = {}
    for number, record in enumerate(book.records(stored), 1):
        name = f"review-{number}"
        public = keys.get(json.loads(record)["signer"])
        if public is not None:
            files |= {f"{name}.json": record, f"{name}.pub.pem": _pem(public)}
            files |= _proof(name, record)
    return files


def _proof(name: str, message: bytes) -> dict[str, bytes]:
    tree = json.loads(message)
    return {f"{name}.signed": signable(tree), f"{name}.sig": to_bytes(tree["signature"])}


def _pem(public: bytes) -> bytes:
    key = Ed25519PublicKey.from_public_bytes(public)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
