"""Counters that outlive the database they also stand in."""

from __future__ import annotations

import json
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


def _read(path: Path) -> dict[str, int]:
    try:
        tree = json.loads(read_private(path, _LIMIT))
    except (BodycamError, ValueError):
        return {}
    if not isinstance(tree, dict):
        return {}
    return {key: value for key, value in tree.items() if type(value) is int}
