"""Who a provisioned device is: made once, read at every start.

In `state/keys/`, every file 0600:

- `device.json`: the public part.
- `private`: X25519 and Ed25519 private keys, encrypted under the store key.
- `store.key`: with `unlock: device`, the store key itself. Who has this file has everything.
- `store.locked`: with `unlock: operator`, the store key encrypted under a passphrase (scrypt).

With `unlock: hub` nothing here leads to the store key: it is sealed to the hub's release key in
the answer to the hub, and then forgotten.
"""

from __future__ import annotations

import base64
import hmac
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError

from agent.adapters.device_keys import PRIVATE_BYTES, DeviceKeys
from agent.adapters.private_files import (
    private_directory,
    read_private,
    sync_directory,
    why,
    write_aside,
)
from agent.adapters.sealing import (
    KEY_BYTES,
    OVERHEAD,
    SALT_BYTES,
    ScryptCost,
    decrypt,
    encrypt,
    key_id,
    passphrase_key,
    seal,
)
from agent.errors import DataError, DiskError, MissingFileError, RefusedError, UsageError
from agent.messages.bundle import Key, Sha256
from agent.messages.provisioning import (
    MAX_FILE,
    ProvisioningFile,
    ProvisioningRequest,
    Slug,
    Unlock,
    Url,
    authenticated,
    store_key_info,
)

IDENTITY: Final = "device.json"
PRIVATE: Final = "private"
STORE_KEY: Final = "store.key"
STORE_LOCKED: Final = "store.locked"
MIN_PASSPHRASE: Final = 8
"""Characters. A guess costs 32 MB and about a tenth of a second: eight random letters hold."""
DEFAULT_COST: Final = ScryptCost()

_Model = TypeVar("_Model", bound=BaseModel)


class Identity(BaseModel):
    """The public part of a device.

    Attributes:
        url: of the agency's repository.
        root: sha256 of the TUF root metadata that the operator typed.
        release_key: the hub's X25519 public key.
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
    unlock: Unlock
    seal_key: Key
    sign_key: Key

    @property
    def key_id(self) -> str:
        """Name of this device's envelope."""
        return key_id(self.seal_key)


class _Locked(BaseModel):
    """A store key under a passphrase."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["bodycam.locked-key.v1"] = "bodycam.locked-key.v1"
    salt: Base64Bytes = Field(min_length=SALT_BYTES, max_length=SALT_BYTES)
    n: int = Field(ge=2, le=1 << 20)
    r: int = Field(ge=1, le=32)
    p: int = Field(ge=1, le=16)
    key: Base64Bytes = Field(min_length=KEY_BYTES + OVERHEAD, max_length=KEY_BYTES + OVERHEAD)


def present(directory: Path) -> bool:
    """Whether a device was provisioned there (or something pretends to be)."""
    return os.path.lexists(directory)


def read_identity(directory: Path) -> Identity:
    """The public part.

    Raises:
        RefusedError: the folder or the file can be read by others, or is a link.
        DataError, MissingFileError, DiskError: damaged, not there, unreadable.
    """
    private_directory(directory)
    return _read(Identity, directory / IDENTITY)


def generate(
    directory: Path,
    file: ProvisioningFile,
    root: str,
    passphrase: str | None = None,
    *,
    commit: Callable[[ProvisioningRequest], object],
    cost: ScryptCost = DEFAULT_COST,
) -> Identity:
    """Make the keys of a new device.

    Args:
        directory: there must be nothing yet.
        file: from the hub, checked.
        root: sha256 of its root, as typed.
        passphrase: for `unlock: operator` only.
        commit: given the answer to the hub once the keys are on disk, aside; hands it over and
            records it. When it raises, there is no identity.
        cost: of a guess of the passphrase.

    Raises:
        RefusedError: there is an identity already.
        UsageError: a passphrase is missing, short, or not wanted.
        DiskError: it cannot be written.
    """
    require_passphrase(file.unlock, passphrase)
    if present(directory):
        raise RefusedError(f"{directory}: there is an identity already")
    keys = DeviceKeys.new()
    identity = _identity_of(file, root, keys)
    aside = directory.with_name(f".{directory.name}.new")
    try:
        _write_files(aside, identity, keys, passphrase, cost)
        commit(_request(file, keys))
        aside.rename(directory)
        sync_directory(directory.parent)
    except OSError as error:
        raise DiskError(f"{directory}: {why(error)}; no identity was made") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        keys.close()
    return identity


def require_passphrase(unlock: Unlock, passphrase: str | None) -> None:
    """Whether a passphrase was given exactly where one is wanted.

    Raises:
        UsageError: it is missing, short, or not wanted.
    """
    if unlock != "operator" and passphrase is not None:
        raise UsageError(f"--passphrase-file: unlock is {unlock!r} here, no passphrase is wanted")
    if unlock == "operator" and passphrase is None:
        raise UsageError("unlock is 'operator': give --passphrase-file FILE")
    if passphrase is not None and len(passphrase) < MIN_PASSPHRASE:
        raise UsageError(f"the passphrase needs at least {MIN_PASSPHRASE} characters")


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
    locked = _read(_Locked, directory / STORE_LOCKED)
    try:
        key = passphrase_key(passphrase, locked.salt, ScryptCost(locked.n, locked.r, locked.p))
        return decrypt(key, locked.key, _about("locked", identity))
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
        private = decrypt(store_key, blob, _about("private", identity))
    except DataError:
        raise DataError(wrong) from None
    keys = DeviceKeys(store_key, private)
    if (keys.seal_key, keys.sign_key) != (identity.seal_key, identity.sign_key):
        raise DataError(wrong)
    return keys


def base64_of(data: bytes) -> bytes:
    """What a pydantic `Base64Bytes` takes."""
    return base64.b64encode(data)


def _identity_of(file: ProvisioningFile, root: str, keys: DeviceKeys) -> Identity:
    return Identity(
        agency=file.agency,
        device=file.device,
        url=file.url,
        root=root,
        release_key=base64_of(file.release_key),
        unlock=file.unlock,
        seal_key=base64_of(keys.seal_key),
        sign_key=base64_of(keys.sign_key),
    )


def _write_files(
    aside: Path, identity: Identity, keys: DeviceKeys, passphrase: str | None, cost: ScryptCost
) -> None:
    shutil.rmtree(aside, ignore_errors=True)
    private_directory(aside)
    store_key = keys.export_store_key()
    private = encrypt(store_key, keys.export_private(), _about("private", identity))
    write_aside(aside / PRIVATE, private)
    if identity.unlock == "device":
        write_aside(aside / STORE_KEY, store_key)
    if passphrase is not None:
        locked = _lock(store_key, passphrase, cost, _about("locked", identity))
        write_aside(aside / STORE_LOCKED, locked.model_dump_json().encode())
    write_aside(aside / IDENTITY, identity.model_dump_json(indent=2).encode())
    sync_directory(aside)


def _lock(store_key: bytes, passphrase: str, cost: ScryptCost, about: bytes) -> _Locked:
    salt = os.urandom(SALT_BYTES)
    key = encrypt(passphrase_key(passphrase, salt, cost), store_key, about)
    return _Locked(salt=base64_of(salt), n=cost.n, r=cost.r, p=cost.p, key=base64_of(key))


def _request(file: ProvisioningFile, keys: DeviceKeys) -> ProvisioningRequest:
    info = store_key_info(file.agency, file.device)
    sealed = seal(file.release_key, keys.export_store_key(), info) if file.unlock == "hub" else None
    fields: dict[str, Any] = {
        "agency": file.agency,
        "device": file.device,
        "seal_key": base64_of(keys.seal_key),
        "sign_key": base64_of(keys.sign_key),
        "unlock": file.unlock,
        "store_key": None if sealed is None else base64_of(sealed),
    }
    bare = ProvisioningRequest(**fields, mac="0" * 64)
    return ProvisioningRequest(
        **fields, mac=hmac.digest(file.token, authenticated(bare), "sha256").hex()
    )


def _about(what: str, identity: Identity) -> bytes:
    return f"bodycam.{what}-key.v1/{identity.agency}/{identity.device}".encode()


def _read(kind: type[_Model], path: Path) -> _Model:
    try:
        return kind.model_validate_json(read_private(path, MAX_FILE))
    except ValidationError:
        raise DataError(f"{path}: damaged; wipe and provision again") from None
    except MissingFileError:
        raise DataError(f"{path}: missing; wipe and provision again") from None
