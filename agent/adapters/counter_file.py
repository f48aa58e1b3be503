"""Counters that outlive the database they also stand in."""

from __future__ import annotations

import json
import os
from pathlib import Path

from agent.adapters.private_files import read_private, write_private
from agent.errors import BodycamError

_LIMIT = 4096


def read_counter(path: Path, key: str) -> int:
    """The value of a counter; 0 when the file cannot be read or does not know it."""
    return _read(path).get(key, 0)


def write_counter(path: Path, key: str, value: int) -> None:
    """Set a counter; the file is written whole, and on the medium when this returns.

    Raises:
        DiskError: it cannot be written.
    """
    write_private(path, json.dumps(_read(path) | {key: value}).encode())


def overwrite_counter(path: Path, key: str, value: int) -> bool:
    """Set a counter in the block that the file has already, where a full disk has no other.

    A power cut may spoil the file; then the database alone counts.

    Returns:
        whether it is on the medium.
    """
    data = json.dumps(_read(path) | {key: value}).encode()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            written = os.pwrite(handle, data, 0)
            os.ftruncate(handle, written)
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError:
        return False
    return written == len(data)


def _read(path: Path) -> dict[str, int]:
    try:
        tree = json.loads(read_private(path, _LIMIT))
    except (BodycamError, ValueError):
        return {}
    if not isinstance(tree, dict):
        return {}
    return {key: value for key, value in tree.items() if type(value) is int}
