"""Checks an exported alert: nothing is missing, changed or added, and every signature holds."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from agent.adapters.sealing import key_id
from agent.adapters.signing import verify
from agent.errors import DataError, MissingFileError
from agent.hub.files import read_bounded
from agent.messages.signed import signable, to_bytes

SUMS: Final = "SHA256SUMS"
SIGNATURE: Final = "SHA256SUMS.sig"
_MAX_FILE: Final = 1 << 20
_MAX_FILES: Final = 1000
_REVIEW: Final = re.compile(r"review-[0-9]{1,3}\.json")


@dataclass(frozen=True, slots=True)
class Verified:
    """What an export proves, for keys that are to be compared with what is published.

    Attributes:
        event: id.
        agency, device: as signed by the camera.
        device_signer, hub_signer: names of the keys.
        reviews: (reviewer, decision, name of the key), in order.
    """

    event: str
    agency: str
    device: str
    device_signer: str
    hub_signer: str
    reviews: tuple[tuple[str, str, str], ...]


def sums_of(files: Mapping[str, bytes]) -> bytes:
    """As `sha256sum` writes it, by name."""
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return "".join(lines).encode()


def verify_folder(folder: Path) -> Verified:
    """Verify an exported alert.

    Raises:
        MissingFileError: no such folder, or a file is missing.
        DataError: something was changed or added.
    """
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: no such folder")
    paths = sorted(folder.iterdir())[: _MAX_FILES + 1]
    if len(paths) > _MAX_FILES or not all(one.is_file() for one in paths):
        raise DataError(f"{folder}: not an exported alert")
    return verify_files({one.name: read_bounded(one, _MAX_FILE) for one in paths})


def verify_files(files: Mapping[str, bytes]) -> Verified:
    """The same for the files themselves, name to bytes; errors as `verify_folder`."""
    hub = _key(files, "hub.pub.pem")
    if not verify(hub, _file(files, SUMS), _file(files, SIGNATURE)):
        raise DataError(f"{SUMS}: not signed with hub.pub.pem, or changed")
    rest = {name: data for name, data in files.items() if name not in (SUMS, SIGNATURE)}
    if sums_of(rest) != files[SUMS]:
        raise DataError(f"a file was changed, added or taken away: {_differing(rest, files[SUMS])}")
    device = _key(files, "device.pub.pem")
    event, ack = _signed(files, "event", device), _signed(files, "ack", hub)
    opened = _tree(files, "event.opened.json")
    _require(event["id"] in ack["ids"], "ack.json: does not acknowledge this event")
    source = f"/{ack['agency']}/{ack['device']}"
    _require(event["source"] == source, "ack.json: for another camera")
    _require(
        all(opened.get(name) == event[name] for name in ("id", "source", "type", "time")),
        "event.opened.json: is of another event",
    )
    reviews = tuple(_review(files, name, event) for name in sorted(files) if _REVIEW.match(name))
    return Verified(event["id"], ack["agency"], ack["device"], key_id(device), key_id(hub), reviews)


def _review(
    files: Mapping[str, bytes], name: str, event: Mapping[str, Any]
) -> tuple[str, str, str]:
    stem = name.removesuffix(".json")
    public = _key(files, f"{stem}.pub.pem")
    review = _signed(files, stem, public)
    digest = hashlib.sha256(files["event.json"]).hexdigest()
    same = review["event"] == event["id"] and review["event_sha256"] == digest
    _require(same, f"{name}: of another event")
    return review["reviewer"], review["decision"], key_id(public)


def _signed(files: Mapping[str, bytes], stem: str, public: bytes) -> dict[str, Any]:
    """A message whose three files agree and whose signature holds."""
    tree = _tree(files, f"{stem}.json")
    covered, signature = _file(files, f"{stem}.signed"), _file(files, f"{stem}.sig")
    try:
        agree = signable(tree) == covered and to_bytes(tree["signature"]) == signature
    except (KeyError, ValueError, AttributeError):
        agree = False
    _require(agree, f"{stem}.signed, {stem}.sig: not those of {stem}.json")
    _require(tree.get("signer") == key_id(public), f"{stem}.json: signed with another key")
    _require(verify(public, covered, signature), f"{stem}.json: its signature does not hold")
    return tree


def _tree(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    try:
        tree = json.loads(_file(files, name))
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        raise DataError(f"{name}: not JSON")
    return tree


def _key(files: Mapping[str, bytes], name: str) -> bytes:
    try:
        key = load_pem_public_key(_file(files, name))
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise DataError(f"{name}: not an Ed25519 public key")
    return key.public_bytes_raw()


def _file(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise MissingFileError(f"{name}: is missing; not a whole export")
    return files[name]


def _differing(files: Mapping[str, bytes], sums: bytes) -> str:
    listed = {line[66:]: line[:64] for line in sums.decode("utf-8", "replace").splitlines()}
    names = (
        name
        for name in sorted({*files, *listed})
        if name not in files or listed.get(name) != hashlib.sha256(files[name]).hexdigest()
    )
    return ", ".join(names)


def _require(holds: bool, line: str) -> None:
    if not holds:
        raise DataError(line)
