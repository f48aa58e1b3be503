"""A sketch as bytes, so that a start need not make and examine it anew.

Only for a cache that is authenticated and that every change of the list destroys: what is read is
held against its own vectors all the same, in shape and in a sample of its bits, since the list may
have been loaded in another order.

    length of the head, 4 bytes, little-endian | head, JSON | the arrays of `Parts`, one by one
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from agent.adapters.bit_planes import has, words
from agent.adapters.search_trial import Trial
from agent.adapters.sketch import LOOKED_AT_AXES, TURNS, Parts, Sketch
from agent.values import Vectors

FORMAT: Final = 1
_LENGTH: Final = 4
_MAX_HEAD: Final = 4096
_SAMPLE: Final = 256
"""Rows whose bits are computed again."""
_ALIGNED: Final = 64
_SLACK: Final = 0.002
"""Share of these bits that rounding may turn, where a row lies on the plane itself."""


def frozen(sketch: Sketch, trial: Trial) -> bytearray:
    """Both, as bytes."""
    parts = sketch.parts
    head = {
        "format": FORMAT,
        "count": sketch.count,
        "dim": len(parts.mean),
        "least": sketch.least,
        "trial": asdict(trial),
    }
    text = json.dumps(head).encode()
    start = _padded(_LENGTH + len(text))
    arrays = list(_arrays(sketch.count, len(parts.mean)))
    data = bytearray(start + sum(_padded(size) for _, _, _, size in arrays))
    data[:_LENGTH] = len(text).to_bytes(_LENGTH, "little")
    data[_LENGTH : _LENGTH + len(text)] = text
    view = memoryview(data)
    for name, _, _, size in arrays:
        view[start : start + size] = memoryview(getattr(parts, name)).cast("B")
        start += _padded(size)
    return data


def thawed(data: bytearray, vectors: Vectors) -> tuple[Sketch, Trial] | None:
    """A sketch of these very vectors, whose arrays lie in `data`; None when it is of others.

    Args:
        data: what `frozen` gave.
        vectors: (n, dim) of the list.
    """
    try:
        head, start = _head(data)
        trial = Trial(**head["trial"])
        least = int(head["least"])
        wanted = (FORMAT, *vectors.shape)
        if (head["format"], head["count"], head["dim"]) != wanted or not trial.won:
            return None
        parts = Parts(**_read(data, start, *vectors.shape))
    except (KeyError, TypeError, ValueError):
        return None
    return (Sketch(parts, least), trial) if _is_of(parts, vectors) else None


def _head(data: bytearray) -> tuple[dict[str, Any], int]:
    length = int.from_bytes(data[:_LENGTH], "little")
    if length > _MAX_HEAD:
        raise ValueError("no head")
    return json.loads(data[_LENGTH : _LENGTH + length]), _padded(_LENGTH + length)


def _read(data: bytearray, start: int, count: int, dim: int) -> dict[str, Any]:
    found = {}
    for name, kind, shape, size in _arrays(count, dim):
        flat = np.frombuffer(data, kind, int(np.prod(shape)), start)
        found[name] = flat.reshape(shape)
        start += _padded(size)
    if start != len(data):
        raise ValueError("of another length")
    return found


def _arrays(count: int, dim: int) -> Iterator[tuple[str, Any, tuple[int, ...], int]]:
    """Name, type, shape and bytes of each."""
    for name, kind, shape in (
        ("mean", np.float32, (dim,)),
        ("probed", np.float32, (dim, TURNS * dim)),
        ("listed", np.float32, (dim, TURNS * dim)),
        ("near", np.int8, (count, min(dim, LOOKED_AT_AXES))),
        ("planes", np.uint64, (TURNS * dim, words(count))),
    ):
        yield name, kind, shape, int(np.prod(shape)) * np.dtype(kind).itemsize


def _is_of(parts: Parts, vectors: Vectors) -> bool:
    rows = np.unique(np.linspace(0, len(vectors) - 1, _SAMPLE).astype(np.intp))
    turned = (vectors[rows] - parts.mean) @ parts.listed > 0
    kept = np.stack([has(plane, rows) for plane in parts.planes], axis=1)
    return bool(np.mean(turned != kept) <= _SLACK)


def _padded(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED
