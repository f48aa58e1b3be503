"""Giving a device its identity."""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from agent.adapters.device_identity import Identity
from agent.adapters.device_keys import DeviceKeys
from agent.adapters.device_provisioning import generate, require_passphrase
from agent.adapters.private_files import read_passphrase
from agent.adapters.state_dir import StateLock, prepare, write_whole
from agent.adapters.trust_root import check_root, typed_sha256
from agent.app.context import Context
from agent.audit.checkpoint import CheckpointKey
from agent.errors import DataError, DiskError, MissingFileError, RefusedError, UsageError
from agent.messages import iso_utc
from agent.messages.provisioning import MAX_FILE, ProvisioningFile, ProvisioningRequest


@dataclass(frozen=True, slots=True)
class Order:
    """What the operator asks for.

    Attributes:
        file: from the hub.
        root_sha256: as typed.
        out: the answer to the hub is written there.
        passphrase_file: None to be asked where one is needed.
        keep: the file is not deleted afterwards.
    """

    file: Path
    root_sha256: str
    out: Path
    passphrase_file: Path | None = None
    keep: bool = False


def provision(context: Context, order: Order) -> Identity:
    """Check the file, make the keys, answer the hub.

    Raises:
        RefusedError: there is an identity already, the root is not the one whose hash was typed,
            or the token's time is over.
        UsageError, DataError, MissingFileError: the hash, the passphrase or the file.
        UnavailableError: an agent runs here.
        DiskError: it cannot be written; no identity was made.
    """
    sha256 = typed_sha256(order.root_sha256)
    prepare(context.state_dir)
    with state_locked(context.state_dir):
        _require_new(context)
        file = _read(order.file)
        check_root(file.root, sha256)
        _require_token_in_time(file, context)
        _require_unlock_as_configured(file, context)
        passphrase = _passphrase(file, order.passphrase_file)

        def commit(request: ProvisioningRequest) -> None:
            write_whole(order.out, request.model_dump_json(indent=2) + "\n")
            context.audit().append(
                "provision",
                root=sha256,
                agency=file.agency,
                device=file.device,
                how=file.unlock,
                uid=os.getuid(),
                key=request.sign_key.hex(),
            )

        def sign_log(keys: DeviceKeys) -> None:
            key = CheckpointKey(file.agency, file.device, keys.sign_key, keys.sign)
            context.audit().checkpoint(key)

        identity = generate(context.keys_dir, file, passphrase, commit=commit, first_use=sign_log)
    if not order.keep:
        _delete(order.file)
    return identity


@contextlib.contextmanager
def state_locked(state_dir: Path) -> Iterator[None]:
    """No agent runs meanwhile.

    Raises:
        UnavailableError: one does.
    """
    lock = StateLock(state_dir)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _require_new(context: Context) -> None:
    if not context.provisioned:
        return
    identity = context.keystore().identity
    raise RefusedError(
        f"this device is {identity.device} of {identity.agency} already. If its answer was lost "
        "before the hub took it, or it changes hands: `bodycam-agent wipe`, then a new file from "
        "the hub; the token of the old one is good once"
    )


def _read(path: Path) -> ProvisioningFile:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE + 1)
    except OSError as error:
        raise MissingFileError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    try:
        if len(data) > MAX_FILE:
            raise DataError(f"{path}: too long to be a provisioning file")
        return ProvisioningFile.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise DataError(f"{path}: no provisioning file: {where}: {first['msg']}") from None


def _require_token_in_time(file: ProvisioningFile, context: Context) -> None:
    if context.clock.wall() >= file.token_not_after:
        raise RefusedError(
            f"the token's time was over at {iso_utc(file.token_not_after)}: have the hub make a "
            "new file, or set this device's clock"
        )


def _require_unlock_as_configured(file: ProvisioningFile, context: Context) -> None:
    wanted = context.config.store.unlock
    if wanted not in ("as-provisioned", file.unlock):
        raise RefusedError(
            f"store.unlock is {wanted!r} in this device's configuration, the file says "
            f"{file.unlock!r}: have the hub make one that agrees"
        )


def _passphrase(file: ProvisioningFile, path: Path | None) -> str | None:
    given = None if path is None else read_passphrase(path)
    if given is None and file.unlock == "operator":
        given = _ask_twice()
    require_passphrase(file.unlock, given)
    return given


def _ask_twice() -> str:
    if not sys.stdin.isatty():
        raise UsageError("unlock is 'operator' and nobody can be asked: give --passphrase-file")
    try:
        first = getpass.getpass("passphrase of the store: ")
        if getpass.getpass("once more: ") != first:
            raise UsageError("the two differ; nothing was done")
    except EOFError:
        raise UsageError("unlock is 'operator': give --passphrase-file FILE") from None
    return first


def _delete(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise DiskError(
            f"this device is provisioned, but {path}, which carries the token, cannot be deleted: "
            f"{why}. Delete it"
        ) from None
