"""The first day of a device: its keys are made, and the answer to its agency."""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from agent.adapters.device_identity import (
    IDENTITY,
    PRIVATE,
    ROOT,
    STORE_KEY,
    STORE_LOCKED,
    Identity,
    LockedKey,
    base64_of,
    key_about,
    present,
)
from agent.adapters.device_keys import DeviceKeys
from agent.adapters.private_files import private_directory, sync_directory, why, write_aside
from agent.adapters.rules_store import FILE as RULES
from agent.adapters.rules_store import sealed_rules
from agent.adapters.sealing import SALT_BYTES, ScryptCost, encrypt, passphrase_key, seal
from agent.errors import DiskError, RefusedError, UsageError
from agent.messages.provisioning import (
    ProvisioningFile,
    ProvisioningRequest,
    Unlock,
    authenticated,
    store_key_info,
)
from agent.policy.loaded import Loaded

MIN_PASSPHRASE: Final = 8
"""Characters. A guess costs 32 MB and about a tenth of a second: eight random letters hold."""
DEFAULT_COST: Final = ScryptCost()


def generate(
    directory: Path,
    file: ProvisioningFile,
    passphrase: str | None = None,
    *,
    commit: Callable[[ProvisioningRequest], object],
    first_use: Callable[[DeviceKeys], object] = lambda _: None,
    cost: ScryptCost = DEFAULT_COST,
) -> Identity:
    """Make the keys of a new device.

    Args:
        directory: there must be nothing yet.
        file: from the hub, its root checked.
        passphrase: for `unlock: operator` only.
        commit: given the answer to the hub once the keys are on disk, aside; hands it over and
            records it. When it raises, there is no identity.
        first_use: given the keys then, the only time that they are open without being unlocked.
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
    identity = _identity_of(file, keys)
    aside = directory.with_name(f".{directory.name}.new")
    try:
        _write_files(aside, identity, keys, passphrase, cost)
        write_aside(aside / RULES, sealed_rules(keys, Loaded()))
        write_aside(aside / ROOT, file.root)
        sync_directory(aside)
        commit(_request(file, keys))
        first_use(keys)
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


def _identity_of(file: ProvisioningFile, keys: DeviceKeys) -> Identity:
    return Identity(
        agency=file.agency,
        device=file.device,
        url=file.url,
        root=hashlib.sha256(file.root).hexdigest(),
        release_key=base64_of(file.release_key),
        alert_key=base64_of(file.alert_key),
        ack_key=base64_of(file.ack_key),
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
    private = encrypt(store_key, keys.export_private(), key_about("private", identity))
    write_aside(aside / PRIVATE, private)
    if identity.unlock == "device":
        write_aside(aside / STORE_KEY, store_key)
    if passphrase is not None:
        locked = _lock(store_key, passphrase, cost, key_about("locked", identity))
        write_aside(aside / STORE_LOCKED, locked.model_dump_json().encode())
    write_aside(aside / IDENTITY, identity.model_dump_json(indent=2).encode())


def _lock(store_key: bytes, passphrase: str, cost: ScryptCost, about: bytes) -> LockedKey:
    salt = os.urandom(SALT_BYTES)
    key = encrypt(passphrase_key(passphrase, salt, cost), store_key, about)
    return LockedKey(salt=base64_of(salt), n=cost.n, r=cost.r, p=cost.p, key=base64_of(key))


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
