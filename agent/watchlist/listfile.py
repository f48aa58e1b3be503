r"""One watchlist as bytes: no pickle, every size bounded, everything checked.

Layout, little-endian:

    8   magic  `BCWLIST\n`
    2   format version, 1
    2   zero
    4   length of the header
    8   version of the list
    64  id of the list, ASCII, zero-padded
    -   header: JSON, at most 1 MiB
    -   the columns, in the order of `_LAYOUT`, each starting at a multiple of 64 bytes
    32  sha256 of all that comes before

The columns are read in place, so that 300,000 entries cost the time of one sha256.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import DataError
from agent.messages.match import OpaqueId
from agent.values import Array, WatchlistRef
from agent.watchlist import blocks
from agent.watchlist.check import MAX_ID, check
from agent.watchlist.columns import (
    MAX_CODES,
    MAX_DIM,
    MAX_ENTRIES,
    MAX_TEMPLATES,
    Coded,
    Columns,
    StoredList,
)

MAGIC = b"BCWLIST\n"
FORMAT = 1
PREFIX = struct.Struct("<8sHHIQ64s")
MAX_HEADER = 1 << 20
_ALIGN = 64
_TRAILER = 32

_Values = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=MAX_CODES)]


class _Header(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    space: str = Field(max_length=64, pattern=r"^[A-Za-z0-9_.:-]*$")
    dim: int = Field(ge=0, le=MAX_DIM)
    entries: int = Field(ge=0, le=MAX_ENTRIES)
    templates: int = Field(ge=0, le=MAX_TEMPLATES)
    entry_width: int = Field(ge=1, le=MAX_ID)
    subject_width: int = Field(ge=1, le=MAX_ID)
    basis: _Values
    purpose: _Values
    authorisation: _Values
    embedder: _Values


class _Ref(BaseModel):
    id: OpaqueId
    version: int = Field(ge=0, le=2**53)


_LAYOUT: tuple[tuple[str, str], ...] = (
    ("entry", "S"),
    ("subject", "S"),
    ("basis", "<u2"),
    ("purpose", "<u2"),
    ("authorisation", "<u2"),
    ("priority", "<i4"),
    ("not_before", "<f8"),
    ("not_after", "<f8"),
    ("owner", "<i4"),
    ("kind", "u1"),
    ("source", "u1"),
    ("embedder", "<u2"),
    ("vectors", "<f4"),
)


def serialise(stored: StoredList) -> Iterator[bytes | memoryview]:
    """The file in pieces, for a writer that needs no second copy of the vectors."""
    digest = hashlib.sha256()
    for piece in _body(stored):
        digest.update(piece)
        yield piece
    yield digest.digest()


def peek(head: bytes) -> WatchlistRef | None:
    """Id and version from the first `PREFIX.size` bytes of a file, unverified.

    Returns:
        None when this is not a list of this format; then a full `parse` says why.
    """
    if len(head) < PREFIX.size:
        return None
    magic, form, _, _, version, name = PREFIX.unpack_from(head)
    if magic != MAGIC or form != FORMAT:
        return None
    return WatchlistRef(name.rstrip(b"\0").decode("ascii", "replace"), version)


def format_of(head: bytes) -> int | None:
    """The format version a list file claims; None when it is no list file."""
    if len(head) < PREFIX.size or head[:8] != MAGIC:
        return None
    return int(PREFIX.unpack_from(head)[1])


def parse(data: bytes) -> StoredList:
    """Read and check a whole file. The columns are views of `data`.

    Raises:
        DataError: damaged, cut short, of another format, or an entry that breaks a rule.
    """
    ref, header, start = _head(data)
    digest = hashlib.sha256(memoryview(data)[:-_TRAILER])
    if digest.digest() != data[-_TRAILER:]:
        raise DataError("watchlist file: checksum does not agree; the file is damaged")
    columns = _columns(data, header, start)
    check(columns)
    digest.update(data[-_TRAILER:])
    return StoredList(ref.id, ref.version, header.space, columns, digest.hexdigest())


def _body(stored: StoredList) -> Iterator[bytes | memoryview]:
    columns = stored.columns
    header = json.dumps(_header(stored), separators=(",", ":"), sort_keys=True).encode("ascii")
    if len(header) > MAX_HEADER:
        raise DataError("watchlist: too many different codes; the header would exceed 1 MiB")
    prefix = PREFIX.pack(MAGIC, FORMAT, 0, len(header), stored.version, stored.id.encode("ascii"))
    yield prefix
    yield header
    pairs = [(_array(columns, name), _dtype(columns, name, dtype)) for name, dtype in _LAYOUT]
    yield from blocks.write(pairs, len(prefix) + len(header), _ALIGN)


def _array(columns: Columns, name: str) -> Array:
    column: Coded | Array = getattr(columns, name)
    return column.codes if isinstance(column, Coded) else column


def _dtype(columns: Columns, name: str, dtype: str) -> np.dtype[Any]:
    return _array(columns, name).dtype if dtype == "S" else np.dtype(dtype)


def _header(stored: StoredList) -> dict[str, Any]:
    columns = stored.columns
    return {
        "space": stored.space,
        "dim": columns.dim,
        "entries": len(columns),
        "templates": len(columns.owner),
        "entry_width": columns.entry.dtype.itemsize,
        "subject_width": columns.subject.dtype.itemsize,
        "basis": columns.basis.values,
        "purpose": columns.purpose.values,
        "authorisation": columns.authorisation.values,
        "embedder": columns.embedder.values,
    }


def _head(data: bytes) -> tuple[_Ref, _Header, int]:
    form = format_of(data[: PREFIX.size])
    if form is None:
        raise DataError("watchlist file: not a watchlist, or cut short")
    if form != FORMAT:
        raise DataError(
            f"watchlist file: format {form}, this program reads format {FORMAT}; update it"
        )
    _, _, zero, length, version, name = PREFIX.unpack_from(data)
    start = PREFIX.size + length
    if zero or length > MAX_HEADER or start + _TRAILER > len(data):
        raise DataError("watchlist file: damaged or cut short in its header")
    try:
        ref = _Ref(id=name.rstrip(b"\0").decode("ascii"), version=version)
        header = _Header.model_validate_json(data[PREFIX.size : start])
    except (ValidationError, UnicodeDecodeError):
        raise DataError("watchlist file: damaged header") from None
    return ref, header, start


def _columns(data: bytes, header: _Header, at: int) -> Columns:
    layout = [_block(header, name, dtype) for name, dtype in _LAYOUT]
    end = len(data) - _TRAILER
    arrays: dict[str, Any] = blocks.read(data, layout, at, end, align=_ALIGN, what="watchlist file")
    for name in ("basis", "purpose", "authorisation", "embedder"):
        arrays[name] = Coded(arrays[name], tuple(getattr(header, name)))
    return Columns(**arrays)


def _block(header: _Header, name: str, dtype: str) -> blocks.Block:
    if dtype == "S":
        width: int = getattr(header, name + "_width")
        return blocks.Block(name, np.dtype(f"S{width}"), (header.entries,))
    if name == "source":
        return blocks.Block(name, np.dtype(dtype), (header.templates, _TRAILER))
    if name == "vectors":
        return blocks.Block(name, np.dtype(dtype), (header.templates, header.dim))
    per_template = name in ("owner", "kind", "embedder")
    rows = header.templates if per_template else header.entries
    return blocks.Block(name, np.dtype(dtype), (rows,))


def as_bytes(stored: StoredList) -> bytes:
    """The whole file at once."""
    return b"".join(serialise(stored))


def sha256_of(stored: StoredList) -> str:
    """Of the file, hexadecimal: what `sha256sum` says of it."""
    digest = hashlib.sha256()
    for piece in serialise(stored):
        digest.update(piece)
    return digest.hexdigest()
