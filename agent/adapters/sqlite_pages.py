"""Rows of a SQLite file read page by page, without its trees: for when the trees are broken.

Every leaf of every table is looked at, whoever it belongs to; the caller knows its own rows (by a
checksum in them). Pages in the write-ahead log stand before those in the file. The formats are
those of sqlite.org/fileformat2.html.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, TypeAlias

Value: TypeAlias = int | float | str | bytes | None

_MAGIC = b"SQLite format 3\x00"
_USUAL_PAGE = 4096
_LEAF = 0x0D
_WAL_HEADER, _FRAME_HEADER = 32, 24
_WAL_MAGIC = (0x377F0682, 0x377F0683)
_WIDTHS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_FLOAT, _ZERO, _ONE, _BYTES = 7, 8, 9, 12
_LONGEST = 16 << 20
"""No row of ours is longer; a broken length must not ask for more, bytes."""


def leaf_rows(path: Path) -> Iterator[tuple[int, list[Value]]]:
    """The rowid and the columns of each row that can be read; an alias of the rowid is None.

    Raises:
        OSError: the file cannot be read.
    """
    with ExitStack() as stack:
        pages = _Pages(path, stack)
        for number in range(1, pages.count + 1):
            yield from _leaf(pages, number)


class _Pages:
    """Pages by number, the newest committed version of each."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._file = stack.enter_context(path.open("rb"))
        head = self._file.read(100)
        self.size, reserved = _layout(head)
        self.usable = self.size - reserved
        self._wal: IO[bytes] | None = None
        self._newer: dict[int, int] = {}
        wal = path.with_name(path.name + "-wal")
        if wal.exists():
            self._wal = stack.enter_context(wal.open("rb"))
            self._newer = _committed(self._wal, self.size)
        in_file = self._file.seek(0, 2) // self.size
        self.count = max([in_file, *self._newer])

    def page(self, number: int) -> bytes:
        """Empty when there is none."""
        offset = self._newer.get(number)
        if offset is not None and self._wal is not None:
            self._wal.seek(offset)
            return self._wal.read(self.size)
        if not 1 <= number <= self.count:
            return b""
        self._file.seek((number - 1) * self.size)
        return self._file.read(self.size)


def _layout(head: bytes) -> tuple[int, int]:
    """Page size and reserved bytes of each, the usual ones when the header is broken."""
    if head.startswith(_MAGIC) and len(head) >= len(_MAGIC) + 5:
        size = struct.unpack_from(">H", head, 16)[0]
        size = 65_536 if size == 1 else size
        if size >= 512 and size & (size - 1) == 0:  # noqa: PLR2004 - the smallest allowed
            return size, head[20]
    return _USUAL_PAGE, 0


def _committed(wal: IO[bytes], page_size: int) -> dict[int, int]:
    """Where the newest committed version of each page starts in the log."""
    head = wal.read(_WAL_HEADER)
    newest: dict[int, int] = {}
    if len(head) < _WAL_HEADER or struct.unpack_from(">I", head)[0] not in _WAL_MAGIC:
        return newest
    salts, waiting = head[16:24], dict[int, int]()
    while len(frame := wal.read(_FRAME_HEADER)) == _FRAME_HEADER and frame[8:16] == salts:
        number, commit = struct.unpack_from(">II", frame)
        waiting[number] = wal.tell()
        wal.seek(page_size, 1)
        if commit:
            newest |= waiting
            waiting.clear()
    return newest


def _leaf(pages: _Pages, number: int) -> Iterator[tuple[int, list[Value]]]:
    page = pages.page(number)
    start = 100 if number == 1 else 0
    if len(page) < pages.size or page[start] != _LEAF:
        return
    cells = struct.unpack_from(">H", page, start + 3)[0]
    for index in range(min(cells, (pages.size - start - 8) // 2)):
        offset = struct.unpack_from(">H", page, start + 8 + 2 * index)[0]
        with suppress(IndexError, ValueError, struct.error):
            yield _cell(pages, page, offset)


def _cell(pages: _Pages, page: bytes, offset: int) -> tuple[int, list[Value]]:
    length, offset = _varint(page, offset)
    rowid, offset = _varint(page, offset)
    if length > _LONGEST:
        raise ValueError("longer than a row can be")
    local = _local(length, pages.usable)
    payload = bytearray(page[offset : offset + local])
    follows = struct.unpack_from(">I", page, offset + local)[0] if local < length else 0
    while len(payload) < length:
        more = pages.page(follows)
        follows = struct.unpack_from(">I", more)[0]
        payload += more[4 : pages.usable][: length - len(payload)]
    return rowid, _record(bytes(payload))


def _local(length: int, usable: int) -> int:
    """How much of a row lies in its leaf, the rest in overflow pages (file format, 1.6)."""
    most, least = usable - 35, (usable - 12) * 32 // 255 - 23
    if length <= most:
        return length
    fitting = least + (length - least) % (usable - 4)
    return fitting if fitting <= most else least


def _record(payload: bytes) -> list[Value]:
    end, offset = _varint(payload, 0)
    at, values = end, list[Value]()
    while offset < end:
        kind, offset = _varint(payload, offset)
        width = _width(kind)
        if at + width > len(payload):
            raise ValueError("a row that ends too soon")
        values.append(_value(kind, payload[at : at + width]))
        at += width
    return values


def _width(kind: int) -> int:
    if kind >= _BYTES:
        return (kind - _BYTES) // 2
    return 8 if kind == _FLOAT else _WIDTHS.get(kind, 0)


def _value(kind: int, raw: bytes) -> Value:
    if kind >= _BYTES:
        return raw.decode() if kind % 2 else raw
    if kind == _FLOAT:
        number: float = struct.unpack(">d", raw)[0]
        return number
    if kind in _WIDTHS:
        return int.from_bytes(raw, "big", signed=True)
    return {_ZERO: 0, _ONE: 1}.get(kind)


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    """A number of up to nine bytes, and where the next thing starts."""
    number = 0
    for index in range(8):
        byte = data[offset + index]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return number, offset + index + 1
    return number << 8 | data[offset + 8], offset + 9
