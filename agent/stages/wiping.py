"""Overwriting what must not stay in memory."""

from __future__ import annotations

from agent.values import Array


def wipe(*arrays: Array) -> None:
    """Fill every array with zeros, in place. Read-only arrays are left: they are not ours."""
    for array in arrays:
        if array.flags.writeable:
            array.fill(0)
