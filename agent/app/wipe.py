"""Destroying a device's keys and data, and showing that it was done."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.adapters.private_files import sync_directory, why
from agent.app.context import Context
from agent.app.provision import state_locked
from agent.app.vault import LISTS
from agent.errors import BodycamError, DiskError, MissingFileError, UsageError

_AUDIT: Final = "audit"
_KEPT: Final = frozenset({"agent.lock"})
_REASON: Final = 200


@dataclass(frozen=True, slots=True)
class Proof:
    """What a wipe did.

    Attributes:
        destroyed: one line for each thing.
        checks: one line for each thing that was looked at afterwards.
    """

    destroyed: tuple[str, ...]
    checks: tuple[str, ...]


def wipe(context: Context, reason: str, *, everything: bool = False) -> Proof:
    """Keys first, then data; the audit log last, if at all.

    Args:
        context: of the device.
        reason: for the audit log.
        everything: the audit log too.

    Raises:
        UsageError: the reason cannot be recorded.
        MissingFileError: there is no state folder.
        UnavailableError: an agent runs here.
        DiskError: something cannot be deleted, or still opens.
    """
    folder = context.state_dir
    if not reason.isprintable() or len(reason) > _REASON:
        raise UsageError(f"--reason: at most {_REASON} printable characters")
    if not folder.is_dir():
        raise MissingFileError(f"state folder {folder}: there is none; nothing to wipe")
    with state_locked(folder):
        try:
            destroyed = [*_destroy_keys(context.keys_dir)]
            checks = [_require_closed(context), _record(context, reason)]
            destroyed += _destroy_rest(folder, everything=everything)
            sync_directory(folder)
        except OSError as error:
            raise DiskError(f"{error.filename}: {why(error)}; the wipe is not complete") from None
        checks.append(_require_empty(folder, everything=everything))
    return Proof(tuple(destroyed), tuple(checks))


def _record(context: Context, reason: str) -> str:
    """A log that takes no record must not keep anybody from destroying the rest."""
    try:
        context.audit().append("wipe", reason=reason, uid=os.getuid())
    except BodycamError as error:
        return f"the audit log has no record of this: {error}"
    return "the audit log has a record of this"


def _destroy_keys(directory: Path) -> Iterator[str]:
    """Overwritten, flushed, then unlinked; one line each."""
    if directory.is_symlink():
        directory.unlink()
        yield "keys (was a link, not followed)"
        return
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        if path.is_file() and not path.is_symlink():
            _overwrite(path)
        _remove(path)
        yield f"keys/{path.name}"
    if directory.is_dir():
        directory.rmdir()
        sync_directory(directory.parent)


def _overwrite(path: Path) -> None:
    with path.open("r+b", buffering=0) as stream:
        stream.write(bytes(path.stat().st_size))
        os.fsync(stream.fileno())


def _require_closed(context: Context) -> str:
    """Nothing that is left may open the store.

    Raises:
        DiskError: something does.
    """
    held = len(list((context.state_dir / LISTS).glob("*.shard")))
    try:
        context.keystore()
    except BodycamError:
        return f"the keys are gone: {held} shards of the list, still there then, no longer opened"
    raise DiskError(f"{context.keys_dir}: still opens after its keys were destroyed")


def _destroy_rest(folder: Path, *, everything: bool) -> Iterator[str]:
    last = [_AUDIT] if everything else []
    names = sorted(_names(folder) - _KEPT - {_AUDIT})
    for name in [*names, *last]:
        path = folder / name
        if not os.path.lexists(path):
            continue
        files, size = _measure(path)
        _remove(path)
        yield f"{name} ({files} files, {size} bytes)"


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _measure(path: Path) -> tuple[int, int]:
    if path.is_symlink() or not path.is_dir():
        return 1, path.lstat().st_size
    sizes = [one.lstat().st_size for one in path.rglob("*") if not one.is_dir()]
    return len(sizes), sum(sizes)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _require_empty(folder: Path, *, everything: bool) -> str:
    allowed = _KEPT if everything else _KEPT | {_AUDIT}
    left = sorted(_names(folder) - allowed)
    if left:
        raise DiskError(f"{folder}: still there: {', '.join(left)[:200]}; wipe again")
    kept = "nothing" if everything else "the audit log"
    return f"{kept} is left in {folder}"
