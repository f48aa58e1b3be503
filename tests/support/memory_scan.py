"""Looks for byte patterns in the memory of another process, from outside.

What is looked for (needles) are windows of at least 16 bytes: of templates at every number, of rows
of pixels now and then along each. A window counts wherever it lies, at any byte, in any region that
the process can write to or that no file is behind. Needs root, or leave to trace the process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

WINDOW = 16
VALUES = 16
"""Of a row of pixels in a window: 16 bytes of uint8, 64 of float32."""
_CHUNK = 16 << 20
_LONGEST = 64
_PAGE = 4096
_SHOWN = 5
_BITS = 22
_VARIED = 8
"""Windows that hold fewer different values than this are flat paint, and may lie anywhere."""
_CONTRAST = 24
"""Grey values. Windows in which no value differs so much from the third after it (the same colour
of the next pixel, where colours lie side by side) are smooth, and other pictures hold them too:
those of an empty street held 344 windows of a crowd's sky, the roughest with a contrast of 3."""


@dataclass
class Found:
    """What a scan saw.

    Attributes:
        hits: places by kind of needle.
        distinct: different needles found, by kind.
        where: the first few places, for people: kind, address, region.
        scanned: bytes read.
        skipped: readable regions that could not be read.
    """

    hits: Counter[str] = field(default_factory=Counter)
    distinct: Counter[str] = field(default_factory=Counter)
    where: list[str] = field(default_factory=list)
    scanned: int = 0
    skipped: list[str] = field(default_factory=list)


class Scanner:
    """Needles, and the search for them.

    Args:
        needles: windows of `WINDOW` bytes or more, by kind.
    """

    def __init__(self, needles: Mapping[str, Iterable[bytes]]) -> None:
        self._kind = {window: kind for kind, windows in needles.items() for window in windows}
        self.count = Counter(self._kind.values())
        self._by_head: dict[bytes, list[bytes]] = {}
        for window in self._kind:
            self._by_head.setdefault(window[:WINDOW], []).append(window)
        heads = np.unique([int.from_bytes(one[:4], "little") for one in self._kind])
        self._maybe = np.zeros(1 << _BITS, np.bool_)
        self._maybe[_hash(heads.astype(np.uint32))] = True
        self._seen: set[bytes] = set()

    def search(self, data: bytes, found: Found, name: str = "", base: int = 0) -> None:
        """Count the needles in `data`."""
        used = _used(data)
        for shift in range(4):
            words = np.frombuffer(data, np.uint32, (len(data) - shift) // 4, shift)
            at = _indices(used, shift, len(words))
            at = at[self._maybe[_hash(words[at])]]
            for place in (at * 4 + shift).tolist():
                for window in self._by_head.get(data[place : place + WINDOW], ()):
                    if data.startswith(window, place):
                        self._note(window, found, f"{base + place:#x} {name}")

    def _note(self, window: bytes, found: Found, where: str) -> None:
        kind = self._kind[window]
        found.hits[kind] += 1
        if found.hits[kind] <= _SHOWN:
            found.where.append(f"{kind} at {where}")
        if window not in self._seen:
            self._seen.add(window)
            found.distinct[kind] += 1

    def scan(self, pid: int) -> Found:
        """Search every readable region of a process."""
        found = Found()
        self._seen = set()
        with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
            for start, end, name in regions(pid):
                for low in range(start, end, _CHUNK):
                    high = min(low + _CHUNK + _LONGEST - 1, end)
                    try:
                        memory.seek(low)
                        data = memory.read(high - low)
                    except OSError:
                        found.skipped.append(name)
                        break
                    found.scanned += len(data)
                    self.search(data, found, name, low)
        return found


def regions(pid: int) -> Iterator[tuple[int, int, str]]:
    """Start, end and name of every readable mapping but those of files that it cannot write to."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        parts = line.split(maxsplit=5)
        name = parts[5] if len(parts) > 5 else f"anonymous {parts[0]}"
        readable, writable = parts[1][0] == "r", parts[1][1] == "w"
        if readable and (writable or not name.startswith("/")) and not name.startswith("[v"):
            low, high = (int(edge, 16) for edge in parts[0].split("-"))
            yield low, high, name


def _used(data: bytes) -> np.ndarray:
    """Numbers of the pages that are not all one byte value."""
    whole = np.frombuffer(data, np.uint8)
    pages = -(-len(data) // _PAGE)
    padded = np.zeros(pages * _PAGE, np.uint8)
    padded[: len(whole)] = whole
    words = padded.view(np.uint64).reshape(pages, -1)
    return np.flatnonzero((words != words[:, :1]).any(axis=1))


def _indices(used: np.ndarray, shift: int, count: int) -> np.ndarray:
    """Of the words in those pages, and of the one that begins in the page before."""
    per = _PAGE // 4
    at = (used[:, None] * per + np.arange(-1 if shift else 0, per)).ravel()
    return at[(at >= 0) & (at < count)]


def float_windows(vectors: np.ndarray) -> set[bytes]:
    """Every window of each row of (n, d) float32, at every number."""
    rows = np.ascontiguousarray(vectors, np.float32)
    raw = [row.tobytes() for row in rows]
    return {row[at : at + WINDOW] for row in raw for at in range(0, len(row) - WINDOW + 1, 4)}


def row_windows(rows: np.ndarray, *, step: int) -> set[bytes]:
    """Windows of 16 values of each of (n, d) rows of pixels, every `step` values."""
    windows = (
        row[at : at + VALUES]
        for row in np.ascontiguousarray(rows)
        for at in range(0, rows.shape[1] - VALUES + 1, step)
    )
    return {
        one.tobytes()
        for one in windows
        if len(np.unique(one)) >= _VARIED and _contrast(one) >= _CONTRAST
    }


def _contrast(window: np.ndarray) -> float:
    values = window.astype(np.float32)
    return float(np.abs(values[3:] - values[:-3]).max())


def _hash(words: np.ndarray) -> np.ndarray:
    return (words * np.uint32(2654435761)) >> np.uint32(32 - _BITS)
