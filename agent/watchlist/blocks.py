"""Columns as bytes: arrays one after the other, each at a multiple of an alignment, zeros between.

Shared by the file of the local list and by shards. What a block is called, its type and its shape
are the format's; here is only where it lies.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agent.errors import DataError
from agent.values import Array


@dataclass(frozen=True, slots=True)
class Block:
    """One column: its name, the type of its numbers, and its shape."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        return math.prod(self.shape)


def write(
    blocks: Sequence[tuple[Array, np.dtype[Any]]], at: int, align: int
) -> Iterator[bytes | memoryview]:
    """The arrays in pieces, each cast to its type and preceded by the zeros that align it.

    Args:
        blocks: arrays and the types they are stored as.
        at: bytes that come before.
        align: every array starts at a multiple of it.
    """
    for array, dtype in blocks:
        block = np.ascontiguousarray(array, dtype)
        yield bytes(-at % align)
        at += -at % align + block.nbytes
        yield block.reshape(-1).view(np.uint8).data


def end_of(blocks: Sequence[Block], at: int, align: int) -> int:
    """Where the last of the blocks ends when the first begins at or after `at`."""
    for block in blocks:
        at += -at % align + block.count * block.dtype.itemsize
    return at


def read(
    data: bytes, blocks: Sequence[Block], at: int, end: int, *, align: int, what: str
) -> dict[str, Array]:
    """Views of `data`: one for each block. They must fill `data[at:end]` exactly.

    Args:
        data: the whole.
        blocks: in their order.
        at: where the first begins.
        end: where the last ends.
        align: as for `write`.
        what: this is, for the error.

    Raises:
        DataError: shorter or longer than the blocks, or something between them.
    """
    arrays: dict[str, Array] = {}
    for block in blocks:
        start = at + -at % align
        stop = start + block.count * block.dtype.itemsize
        if stop > end:
            raise DataError(f"{what}: cut short")
        if any(data[at:start]):
            raise DataError(f"{what}: damaged between its columns")
        arrays[block.name] = _view(data, block, start)
        at = stop
    if at != end:
        raise DataError(f"{what}: longer than its header says")
    return arrays


def _view(data: bytes, block: Block, at: int) -> Array:
    if not block.count:
        return np.zeros(block.shape, block.dtype)
    return np.frombuffer(data, block.dtype, block.count, at).reshape(block.shape)
