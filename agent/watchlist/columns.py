"""A watchlist as a struct of arrays: 300,000 entries are a dozen numpy columns, not objects.

Invariants, held by `check` for whatever comes from outside: every entry has at least one template;
templates are grouped by entry, in the entries' order; entry ids are unique; every vector has unit
length; every code points into its dictionary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.errors import DataError
from agent.values import EntryRef, Vectors, Wall, WatchlistRef
from agent.watchlist.entries import EntryMeta, Kind, Provenance

Ids = npt.NDArray[np.bytes_]
"""(n,) fixed-width ASCII, zero-padded."""

MAX_ENTRIES = 1_000_000
MAX_TEMPLATES = 1_000_000
MAX_PER_ENTRY = 100
MAX_CODES = 4096
MIN_DIM, MAX_DIM = 8, 2048
UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A column of few distinct texts.

    Attributes:
        codes: (n,) uint16, indices into `values`.
        values: the distinct texts.
    """

    codes: npt.NDArray[np.uint16]
    values: tuple[str, ...]

    def __getitem__(self, row: int) -> str:
        return self.values[int(self.codes[row])]

    def take(self, rows: npt.NDArray[np.intp]) -> Coded:
        """The same column at these rows, with what is no longer used dropped."""
        used, codes = np.unique(self.codes[rows], return_inverse=True)
        return Coded(codes.astype(np.uint16), tuple(self.values[code] for code in used))

    @staticmethod
    def of(texts: Sequence[str]) -> Coded:
        values = tuple(dict.fromkeys(texts))
        index = {value: code for code, value in enumerate(values)}
        return Coded(np.array([index[text] for text in texts], np.uint16), values)

    @staticmethod
    def joined(parts: Sequence[Coded]) -> Coded:
        values = tuple(dict.fromkeys(value for part in parts for value in part.values))
        if len(values) > MAX_CODES:
            raise DataError(
                f"watchlist: more than {MAX_CODES} different values of basis, purpose, "
                "authorisation or embedder"
            )
        index = {value: code for code, value in enumerate(values)}
        maps = [np.array([index[v] for v in part.values], np.uint16) for part in parts]
        codes = [table[part.codes] for table, part in zip(maps, parts, strict=True) if len(table)]
        return Coded(np.concatenate([np.zeros(0, np.uint16), *codes]), values)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Columns:
    """Entries (n rows) and their templates (m rows).

    Attributes:
        entry, subject: (n,) ids.
        basis, purpose, authorisation: (n,) dictionary-coded.
        priority: (n,) int32.
        not_before, not_after: (n,) float64, wall seconds.
        owner: (m,) int32, row of the entry; non-decreasing.
        kind: (m,) uint8, see `Kind`.
        source: (m, 32) uint8, sha256 of where it came from.
        embedder: (m,) dictionary-coded sha256 of the network.
        vectors: (m, dim) float32, unit length.
    """

    entry: Ids
    subject: Ids
    basis: Coded
    purpose: Coded
    authorisation: Coded
    priority: npt.NDArray[np.int32]
    not_before: npt.NDArray[np.float64]
    not_after: npt.NDArray[np.float64]
    owner: npt.NDArray[np.int32]
    kind: npt.NDArray[np.uint8]
    source: npt.NDArray[np.uint8]
    embedder: Coded
    vectors: Vectors

    def __repr__(self) -> str:
        return f"Columns(entries={len(self)}, templates={len(self.owner)}, dim={self.dim})"

    def __len__(self) -> int:
        return len(self.entry)

    @property
    def dim(self) -> int:
        return int(self.vectors.shape[1])

    def ref(self, row: int) -> EntryRef:
        """The ids of the entry in `row`."""
        return EntryRef(
            text(self.entry[row]),
            text(self.subject[row]),
            self.authorisation[row],
            int(self.priority[row]),
        )

    def meta(self, row: int) -> EntryMeta:
        return EntryMeta(
            entry=text(self.entry[row]),
            subject=text(self.subject[row]),
            basis=self.basis[row],
            purpose=self.purpose[row],
            authorisation=self.authorisation[row],
            priority=int(self.priority[row]),
            not_before=float(self.not_before[row]),
            not_after=float(self.not_after[row]),
        )

    def provenance(self, row: int) -> tuple[Provenance, ...]:
        """Of every template of the entry in `row`."""
        first, last = np.searchsorted(self.owner, [row, row + 1])
        return tuple(
            Provenance(self.source[t].tobytes().hex(), Kind(self.kind[t]), self.embedder[t])
            for t in range(int(first), int(last))
        )

    def valid_at(self, now: Wall) -> npt.NDArray[np.bool_]:
        """(n,) mask: not_before <= now < not_after."""
        mask: npt.NDArray[np.bool_] = (self.not_before <= now) & (now < self.not_after)
        return mask

    def next_change(self, now: Wall) -> Wall | None:
        """The first moment after `now` at which an entry begins or ends; None without one."""
        times = np.concatenate([self.not_before[self.not_before < self.not_after], self.not_after])
        later = times[times > now]
        return Wall(float(later.min())) if len(later) else None

    def take(self, keep: npt.NDArray[np.bool_]) -> Columns:
        """The entries where the (n,) mask is true; without a copy when that is all of them."""
        if keep.all():
            return self
        return self.pick(np.flatnonzero(keep))

    def pick(self, rows: npt.NDArray[np.intp]) -> Columns:
        """The entries in these rows, in this order, each with its templates; a copy."""
        starts = np.searchsorted(self.owner, np.arange(len(self) + 1))
        counts = np.diff(starts)[rows]
        owner = np.repeat(np.arange(len(rows), dtype=np.int32), counts)
        first = np.cumsum(counts) - counts
        templates = np.arange(len(owner)) - first[owner] + starts[rows][owner]
        return Columns(
            self.entry[rows],
            self.subject[rows],
            self.basis.take(rows),
            self.purpose.take(rows),
            self.authorisation.take(rows),
            self.priority[rows],
            self.not_before[rows],
            self.not_after[rows],
            owner,
            self.kind[templates],
            self.source[templates],
            self.embedder.take(templates),
            self.vectors[templates],
        )


@dataclass(frozen=True, slots=True, eq=False)
class StoredList:
    """One version of the local watchlist.

    Attributes:
        id: opaque id of the list; `empty` for the one that does not exist yet.
        version: grows by one with every change; 0 for the one that does not exist yet.
        space: family of embedders whose vectors may be compared with these; empty while unknown.
        columns: the entries.
        sha256: of what it was read from; empty for one that was made or changed since.
    """

    id: str
    version: int
    space: str
    columns: Columns
    sha256: str = ""

    @property
    def ref(self) -> WatchlistRef:
        return WatchlistRef(self.id, self.version, self.sha256)

    @staticmethod
    def empty() -> StoredList:
        return StoredList("empty", 0, "", no_entries(0))


def text(value: bytes) -> str:
    """One id of an `Ids` column as text."""
    return bytes(value).decode("ascii")


def no_entries(dim: int) -> Columns:
    """Columns of no rows."""
    nothing = Coded(np.zeros(0, np.uint16), ())
    ids = np.zeros(0, "S1")
    return Columns(
        ids,
        ids,
        nothing,
        nothing,
        nothing,
        np.zeros(0, np.int32),
        np.zeros(0, np.float64),
        np.zeros(0, np.float64),
        np.zeros(0, np.int32),
        np.zeros(0, np.uint8),
        np.zeros((0, 32), np.uint8),
        nothing,
        np.zeros((0, dim), np.float32),
    )


def from_entries(
    metas: Sequence[EntryMeta], origins: Sequence[Sequence[Provenance]], vectors: Vectors
) -> Columns:
    """Columns of checked entries.

    Args:
        metas: n entries.
        origins: for each entry, the provenance of each of its templates, at least one.
        vectors: (m, dim) float32, the templates of all entries in that order.
    """
    counts = [len(origin) for origin in origins]
    flat = [one for origin in origins for one in origin]
    return Columns(
        _ids([meta.entry for meta in metas]),
        _ids([meta.subject for meta in metas]),
        Coded.of([meta.basis for meta in metas]),
        Coded.of([meta.purpose for meta in metas]),
        Coded.of([meta.authorisation for meta in metas]),
        np.array([meta.priority for meta in metas], np.int32),
        np.array([meta.not_before for meta in metas], np.float64),
        np.array([meta.not_after for meta in metas], np.float64),
        np.repeat(np.arange(len(metas), dtype=np.int32), counts),
        np.array([one.kind for one in flat], np.uint8),
        np.frombuffer(bytes.fromhex("".join(o.sha256 for o in flat)), np.uint8).reshape(-1, 32),
        Coded.of([one.embedder for one in flat]),
        np.ascontiguousarray(vectors, np.float32),
    )


def concat(parts: Sequence[Columns]) -> Columns:
    """All entries of all parts, which must have one dimension."""
    starts = np.cumsum([0, *(len(part) for part in parts)])
    return Columns(
        np.concatenate([part.entry for part in parts]),
        np.concatenate([part.subject for part in parts]),
        Coded.joined([part.basis for part in parts]),
        Coded.joined([part.purpose for part in parts]),
        Coded.joined([part.authorisation for part in parts]),
        np.concatenate([part.priority for part in parts]),
        np.concatenate([part.not_before for part in parts]),
        np.concatenate([part.not_after for part in parts]),
        np.concatenate(
            [part.owner + np.int32(start) for part, start in zip(parts, starts, strict=False)]
        ).astype(np.int32),
        np.concatenate([part.kind for part in parts]),
        np.concatenate([part.source for part in parts]),
        Coded.joined([part.embedder for part in parts]),
        np.concatenate([part.vectors for part in parts]),
    )


def _ids(texts: Sequence[str]) -> Ids:
    return np.array([one.encode("ascii") for one in texts], np.bytes_)
