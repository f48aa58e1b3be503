r"""A piece of a list as bytes: what is encrypted, signed for and fetched as one file.

Layout, little-endian:

    8   magic  `BCSHARD\n`
    2   format version, 1
    2   zero
    4   length of the header
    -   header: JSON
    -   the columns, in the order of `_blocks`, each starting at a multiple of 8 bytes

There is no checksum: the encryption around it authenticates every byte, and its name is a hash.

Vectors are float16, half of float32. Over 30 million pairs with the geometry of real embeddings
(and as many uniform on the sphere) no similarity moves by more than 0.00011, where thresholds are
set to 0.001 and an alert needs a margin of 0.05. int8 with a scale for each vector would save
another 38 MB of 300,000 entries, but moves similarities by up to 0.0048: that is not nothing.
Times and codes repeat, so they are numbers into a dictionary of each shard. An entry with one
template of 128 numbers and ids of 16 letters takes 330 bytes, 300,000 of them 99 MB.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import DataError
from agent.messages.bundle import MAX_SHARD
from agent.values import Array, Vectors
from agent.watchlist import blocks
from agent.watchlist.check import MAX_ID, check
from agent.watchlist.columns import MAX_CODES, MAX_DIM, MIN_DIM, Coded, Columns, Ids

MAGIC = b"BCSHARD\n"
FORMAT = 1
PREFIX = struct.Struct("<8sHHI")
MAX_PLAIN: Final = MAX_SHARD - 28
"""Bytes of a shard before encryption, which adds a nonce and a tag."""
MAX_ROWS: Final = 1 << 16
"""Entries, and templates, of one shard."""
_ALIGN = 8
_WHAT = "watchlist shard"
_CODED = ("basis", "purpose", "authorisation", "embedder")

_Values = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=MAX_CODES)]


class _Header(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    space: str = Field(max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$")
    dim: int = Field(ge=MIN_DIM, le=MAX_DIM)
    entries: int = Field(ge=1, le=MAX_ROWS)
    templates: int = Field(ge=1, le=MAX_ROWS)
    entry_width: int = Field(ge=1, le=MAX_ID)
    subject_width: int = Field(ge=1, le=MAX_ID)
    times: int = Field(ge=1, le=2 * MAX_ROWS)
    basis: _Values
    purpose: _Values
    authorisation: _Values
    embedder: _Values


def encode_shard(columns: Columns, space: str) -> bytes:
    """A shard, unencrypted. What was decoded encodes to the same bytes again (see `halved`).

    Args:
        columns: checked entries, at least one.
        space: family of embedders that made the vectors.

    Raises:
        DataError: a rule of `check` is broken, there is no entry, or it would exceed `MAX_PLAIN`.
    """
    check(columns)
    columns = _lean(columns)
    times = _distinct(columns)
    header = _header(columns, columns.dim, space, len(times))
    text = _text(header)
    prefix = PREFIX.pack(MAGIC, FORMAT, 0, len(text))
    arrays = _arrays(columns, times)
    pairs = [(arrays[block.name], block.dtype) for block in _blocks(header)]
    data = b"".join([prefix, text, *blocks.write(pairs, len(prefix) + len(text), _ALIGN)])
    if len(data) > MAX_PLAIN:
        raise DataError(f"{_WHAT}: {len(data)} bytes, at most {MAX_PLAIN} fit; cut it smaller")
    return data


def halved(vectors: Vectors) -> npt.NDArray[np.float16]:
    """(m, dim) float16: what a shard keeps of vectors.

    Halving what was decoded gives the same again for 100 numbers and more. With fewer, a length may
    be off by more than half a last digit, and one in some hundred vectors is rounded otherwise.
    """
    return _unit(vectors).astype("<f2")


def encoded_size(columns: Columns, dim: int) -> int:
    """Bytes that `encode_shard` would make of these entries, at most.

    Args:
        columns: at least one entry; its vectors are not looked at.
        dim: numbers in a vector.
    """
    columns = _lean(columns)
    header = _header(columns, dim, "x" * 64, len(_distinct(columns)))
    at = PREFIX.size + len(_text(header))
    return blocks.end_of(_blocks(header), at, _ALIGN)


def decode_shard(data: bytes) -> tuple[str, Columns]:
    """Read and check a shard.

    Returns:
        The family of embedders, and the columns with (m, dim) float32 vectors of unit length.

    Raises:
        DataError: damaged, cut short, of another format, or an entry that breaks a rule.
    """
    header, start = _head(data)
    arrays = blocks.read(data, _blocks(header), start, len(data), align=_ALIGN, what=_WHAT)
    owner = np.repeat(np.arange(header.entries, dtype=np.int32), arrays["count"])
    if len(owner) != header.templates or not arrays["count"].all():
        raise DataError(f"{_WHAT}: an entry without templates, or templates without an entry")
    begin, end = _times(arrays)
    coded = {name: Coded(_codes(arrays[name]), tuple(getattr(header, name))) for name in _CODED}
    columns = Columns(
        entry=arrays["entry"],
        subject=arrays["subject"],
        basis=coded["basis"],
        purpose=coded["purpose"],
        authorisation=coded["authorisation"],
        priority=arrays["priority"].astype(np.int32),
        not_before=begin,
        not_after=end,
        owner=owner,
        kind=arrays["kind"],
        source=arrays["source"],
        embedder=coded["embedder"],
        vectors=arrays["vectors"].astype(np.float32),
    )
    check(columns)
    return header.space, replace(columns, vectors=_unit(columns.vectors))


def _head(data: bytes) -> tuple[_Header, int]:
    if len(data) < PREFIX.size or data[: len(MAGIC)] != MAGIC:
        raise DataError(f"{_WHAT}: not a shard, or cut short")
    if len(data) > MAX_PLAIN:
        raise DataError(f"{_WHAT}: {len(data)} bytes, at most {MAX_PLAIN} are possible")
    _, form, zero, length = PREFIX.unpack_from(data)
    if form != FORMAT:
        raise DataError(f"{_WHAT}: format {form}, this program reads format {FORMAT}; update it")
    start = PREFIX.size + length
    if zero or start > len(data):
        raise DataError(f"{_WHAT}: damaged or cut short in its header")
    try:
        return _Header.model_validate_json(data[PREFIX.size : start]), start
    except ValidationError:
        raise DataError(f"{_WHAT}: damaged header") from None


def _blocks(header: _Header) -> list[blocks.Block]:
    """What lies where. Codes take one byte each where the dictionary allows it."""
    entries, templates = (header.entries,), (header.templates,)
    return [
        blocks.Block("times", np.dtype("<f8"), (header.times,)),
        blocks.Block("entry", np.dtype(f"S{header.entry_width}"), entries),
        blocks.Block("subject", np.dtype(f"S{header.subject_width}"), entries),
        blocks.Block("basis", _code(len(header.basis)), entries),
        blocks.Block("purpose", _code(len(header.purpose)), entries),
        blocks.Block("authorisation", _code(len(header.authorisation)), entries),
        blocks.Block("priority", np.dtype("<u2"), entries),
        blocks.Block("not_before", _code(header.times), entries),
        blocks.Block("not_after", _code(header.times), entries),
        blocks.Block("count", np.dtype("u1"), entries),
        blocks.Block("kind", np.dtype("u1"), templates),
        blocks.Block("source", np.dtype("u1"), (header.templates, 32)),
        blocks.Block("embedder", _code(len(header.embedder)), templates),
        blocks.Block("vectors", np.dtype("<f2"), (header.templates, header.dim)),
    ]


def _code(values: int) -> np.dtype[Any]:
    if values <= 1 << 8:
        return np.dtype("u1")
    return np.dtype("<u2" if values <= 1 << 16 else "<u4")


def _distinct(columns: Columns) -> npt.NDArray[np.float64]:
    return np.unique(np.concatenate([columns.not_before, columns.not_after]))


def _text(header: _Header) -> bytes:
    return json.dumps(header.model_dump(), separators=(",", ":"), sort_keys=True).encode("ascii")


def _header(columns: Columns, dim: int, space: str, times: int) -> _Header:
    try:
        return _Header(
            space=space,
            dim=dim,
            entries=len(columns),
            templates=len(columns.owner),
            entry_width=columns.entry.dtype.itemsize,
            subject_width=columns.subject.dtype.itemsize,
            times=times,
            **{name: list(getattr(columns, name).values) for name in _CODED},
        )
    except ValidationError:
        raise DataError(
            f"{_WHAT}: {len(columns)} entries of {space[:64]!r}: 1 to {MAX_ROWS}, and a family of "
            "embedders, are needed"
        ) from None


def _arrays(columns: Columns, times: npt.NDArray[np.float64]) -> dict[str, Array]:
    return {
        "times": times,
        "entry": columns.entry,
        "subject": columns.subject,
        "basis": columns.basis.codes,
        "purpose": columns.purpose.codes,
        "authorisation": columns.authorisation.codes,
        "priority": columns.priority,
        "not_before": np.searchsorted(times, columns.not_before),
        "not_after": np.searchsorted(times, columns.not_after),
        "count": np.bincount(columns.owner, minlength=len(columns)),
        "kind": columns.kind,
        "source": columns.source,
        "embedder": columns.embedder.codes,
        "vectors": halved(columns.vectors),
    }


def _lean(columns: Columns) -> Columns:
    """No wider ids and no longer dictionaries than these entries need."""
    every = np.arange(len(columns))
    return Columns(
        _narrow(columns.entry),
        _narrow(columns.subject),
        columns.basis.take(every),
        columns.purpose.take(every),
        columns.authorisation.take(every),
        columns.priority,
        columns.not_before,
        columns.not_after,
        columns.owner,
        columns.kind,
        columns.source,
        columns.embedder.take(np.arange(len(columns.owner))),
        columns.vectors,
    )


def _narrow(ids: Ids) -> Ids:
    grid = np.ascontiguousarray(ids).view(np.uint8).reshape(len(ids), ids.dtype.itemsize)
    used = np.flatnonzero(grid.any(axis=0))
    return ids.astype(f"S{used[-1] + 1 if len(used) else 1}")


def _codes(array: Array) -> npt.NDArray[np.uint16]:
    return array.astype(np.uint16)


def _times(arrays: dict[str, Array]) -> Sequence[npt.NDArray[np.float64]]:
    times = arrays["times"]
    for name in ("not_before", "not_after"):
        if int(arrays[name].max()) >= len(times):
            raise DataError(f"{_WHAT}: an entry points at a time that is not there")
    return times[arrays["not_before"]], times[arrays["not_after"]]


def _unit(vectors: Array) -> Vectors:
    """(m, dim) float32 of unit length; none of the vectors may be of length zero."""
    unit = vectors.astype(np.float32)
    unit /= np.sqrt(np.einsum("ij,ij->i", unit, unit))[:, None]
    return unit
