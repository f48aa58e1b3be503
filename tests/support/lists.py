"""Watchlists for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agent.values import Vectors
from agent.watchlist.columns import Columns, StoredList, from_entries
from agent.watchlist.entries import EntryMeta, Kind, Provenance, entry_meta

EMBEDDER = "e" * 64
SPACE = "sface"
DIM = 16
BEGIN, END = 1_700_000_000.0, 1_900_000_000.0


def units(count: int, dim: int = DIM, seed: int = 0) -> Vectors:
    rows = np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def a_meta(number: int = 1, **changes: object) -> EntryMeta:
    fields = {
        "entry": f"E-{number}",
        "subject": f"S-{number}",
        "basis": "consent",
        "purpose": "test",
        "authorisation": "TEST-1",
        "priority": number % 7,
        "not_before": BEGIN,
        "not_after": END,
    }
    return entry_meta({**fields, **changes})


def an_origin(number: int = 1, kind: Kind = Kind.PHOTOGRAPH) -> Provenance:
    return Provenance(f"{number:064x}", kind, EMBEDDER)


def columns_of(metas: Sequence[EntryMeta], per_entry: Sequence[int], vectors: Vectors) -> Columns:
    origins = [[an_origin(at)] * count for at, count in enumerate(per_entry)]
    return from_entries(metas, origins, vectors)


def some_columns(count: int = 3, *, first: int = 1, dim: int = DIM, seed: int = 0) -> Columns:
    """`count` entries of as many subjects with one template each."""
    metas = [a_meta(number) for number in range(first, first + count)]
    return columns_of(metas, [1] * count, units(count, dim, seed))


def a_list(columns: Columns | None = None, version: int = 3) -> StoredList:
    return StoredList("local-1", version, SPACE, some_columns() if columns is None else columns)
