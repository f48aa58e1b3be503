"""Who a provisioned device is: made once, read at every start.

In `state/keys/`, every file 0600:

- `device.json`: the public part.
- `root.json`: TUF root metadata, as the operator confirmed it by its hash.
- `private`: X25519 and Ed25519 private keys, encrypted under the store key.
- `store.key`: with `unlock: device`, the store key itself. Who has this file has everything.
- `store.locked`: with `unlock: operator`, the store key encrypted under a passphrase (scrypt).

With `unlock: hub` nothing here leads to the store key: it is sealed to the hub's release key in
the answer to the hub, and then forgotten.
"""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError

from agent.adapters.device_keys import PRIVATE_BYTES, DeviceKeys
from agent.adapters.private_files import read_private, require_private_directory
from agent.adapters.sealing import (
    KEY_BYTES,
    OVERHEAD,
    SALT_BYTES,
    ScryptCost,
    decrypt,
    key_id,
    passphrase_key,
)
from agent.errors import DataError, MissingFileError
from agent.messages.bundle import Key, Sha256
from agent.messages.provisioning import MAX_FILE, Slug, Unlock, Url

IDENTITY: Final = "device.json"
ROOT: Final = "root.json"
PRIVATE: Final = "private"
STORE_KEY: Final = "store.key"
STORE_LOCKED: Final = "store.locked"
_LOCKED_BYTES: Final = KEY_BYTES + OVERHEAD

_Model = TypeVar("_Model", bound=BaseModel)


class Identity(BaseModel):
    """The public part of a device.

    Attributes:
        url: of the agency's repository.
        root: sha256 of the TUF root metadata that the operator typed.
        release_key: the hub's X25519 public key.
        alert_key: the agency's X25519 public key that events are sealed to.
        ack_key: Ed25519 public key of the hub's acknowledgements.
        unlock: where the key of the store comes from.
        seal_key, sign_key: the device's X25519 and Ed25519 public keys.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["bodycam.device.v1"] = "bodycam.device.v1"
    agency: Slug
    device: Slug
    url: Url
    root: Sha256
    release_key: Key
    alert_key: Key
    ack_key: Key
    unlock: Unlock
    seal_key: Key
    sign_key: Key

    @property
    def key_id(self) -> str:
        """Name of this device's envelope."""
        return key_id(self.seal_key)


class LockedKey(BaseModel):
    """A store key under a passphrase, and what a guess costs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["bodycam.locked-key.v1"] = "bodycam.locked-key.v1"
    salt: Annotated[Base64Bytes, Field(min_length=SALT_BYTES, max_length=SALT_BYTES)]
    n: int = Field(ge=2, le=1 << 20)
    r: int = Field(ge=1, le=32)
    p: int = Field(ge=1, le=16)
    key: Annotated[Base64Bytes, Field(min_length=_LOCKED_BYTES, max_length=_LOCKED_BYTES)]


def present(directory: Path) -> bool:
    """Whether a device was provisioned there (or something pretends to be)."""
    return os.path.lexists(directory)


def read_identity(directory: Path) -> Identity:
    """The public part.

    Raises:
        RefusedError: the folder or the file can be read by others, or is a link.
        MissingFileError: there is no identity.
        DataError, DiskError: damaged, unreadable.
    """
    require_private_directory(directory)
    return _read(Identity, directory / IDENTITY)


def read_root(directory: Path, identity: Identity) -> bytes:
    """The trust root, as it was at provisioning.

    Raises:
        DataError: it is not what the operator confirmed.
        BodycamError: as `read_private`.
    """
    data = read_private(directory / ROOT, MAX_FILE)
    if hashlib.sha256(data).hexdigest() != identity.root:
        raise DataError(f"{directory / ROOT}: changed since; wipe and provision again")
    return data


def read_device_key(directory: Path) -> bytes:
    """The store key of `unlock: device`, 32 bytes.

    Raises:
        BodycamError: as `read_private`; or damaged.
    """
    return read_private(directory / STORE_KEY, KEY_BYTES)


def open_passphrase(directory: Path, identity: Identity, passphrase: str) -> bytes | None:
    """The store key of `unlock: operator`, 32 bytes; None when the passphrase is wrong.

    Raises:
        BodycamError: the file is damaged, or as `read_private`.
    """
    locked = _read(LockedKey, directory / STORE_LOCKED)
    try:
        key = passphrase_key(passphrase, locked.salt, ScryptCost(locked.n, locked.r, locked.p))
        return decrypt(key, locked.key, key_about("locked", identity))
    except ValueError:
        raise DataError(f"{directory / STORE_LOCKED}: damaged; wipe and provision again") from None
    except DataError:
        return None


def open_private(directory: Path, identity: Identity, store_key: bytes) -> DeviceKeys:
    """All keys, with the store key known.

    Raises:
        DataError: it is not the key of this store, or a file is damaged.
        BodycamError: as `read_private`.
    """
    blob = read_private(directory / PRIVATE, PRIVATE_BYTES + OVERHEAD)
    wrong = f"{directory}: not the key of this store, or damaged; wipe and provision again"
    if len(store_key) != KEY_BYTES:
        raise DataError(wrong)
    try:
        private = decrypt(store_key, blob, key_about("private", identity))
    except DataError:
        raise DataError(wrong) from None
    keys = DeviceKeys(store_key, private)
    if (keys.seal_key, keys.sign_key) != (identity.seal_key, identity.sign_key):
        raise DataError(wrong)
    return keys


def base64_of(data: bytes) -> bytes:
    """What a pydantic `Base64Bytes` takes."""
    return base64.b64encode(data)


def key_about(what: str, identity: Identity) -> bytes:
    """What the encryption of a key file is bound to."""
    return f"bodycam.{what}-key.v1/{identity.agency}/{identity.device}".encode()


def _read(kind: type[_Model], path: Path) -> _Model:
    try:
        return kind.model_validate_json(read_private(path, MAX_FILE))
    except ValidationError:
        raise DataError(f"{path}: damaged; wipe and provision again") from None
    except MissingFileError:
        raise DataError(f"{path}: missing; wipe and provision again") from None
