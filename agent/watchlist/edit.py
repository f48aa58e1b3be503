"""Changes to a list, as values: old list in, new list out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from agent.errors import DataError
from agent.values import Vectors
from agent.watchlist.check import check
from agent.watchlist.columns import Columns, StoredList, concat, text


def require_space(stored: StoredList, space: str) -> None:
    """A list may only be searched and grown with the family of embedders that made it.

    Raises:
        DataError: another family; an empty list fits every one.
    """
    if len(stored.columns) and stored.space != space:
        raise DataError(
            f"watchlist {stored.id}: its templates were made by {stored.space!r}, this device runs "
            f"{space!r}; enrol the photographs again, or set the models that fit"
        )


def add(stored: StoredList, new: Columns, space: str) -> StoredList:
    """The list with more entries; its version stays, for the store to count.

    Raises:
        DataError: another embedder or dimension, an entry that is there already, a broken rule.
    """
    require_space(stored, space)
    old = stored.columns
    if len(old) and old.dim != new.dim:
        raise DataError(f"watchlist {stored.id}: holds vectors of {old.dim} numbers, not {new.dim}")
    present = set(old.entry.tolist())
    for one in new.entry.tolist():
        if one in present:
            raise DataError(
                f"entry {one.decode()!r}: is on the list already; remove it first or choose "
                "another id"
            )
    columns = concat([old, new]) if len(old) else new
    check(columns)
    return replace(stored, space=space, columns=columns, sha256="")


def remove(
    stored: StoredList, *, entries: Sequence[str] = (), subjects: Sequence[str] = ()
) -> StoredList:
    """The list without these entries, and without every entry of these subjects.

    Raises:
        DataError: an entry or subject that is not on the list; nothing is removed then.
    """
    columns = stored.columns
    gone = np.zeros(len(columns), np.bool_)
    for what, ids, column in (
        ("entry", entries, columns.entry),
        ("subject", subjects, columns.subject),
    ):
        for one in ids:
            hit = column == one.encode("utf-8")
            if not hit.any():
                raise DataError(f"{what} {one!r}: not on the list; `watchlist list` shows what is")
            gone |= hit
    return replace(stored, columns=columns.take(~gone), sha256="")


def find(stored: StoredList, entry: str) -> int:
    """The row of an entry.

    Raises:
        DataError: it is not on the list.
    """
    rows = np.flatnonzero(stored.columns.entry == entry.encode("utf-8"))
    if not len(rows):
        raise DataError(f"entry {entry!r}: not on the list; `watchlist list` shows what is")
    return int(rows[0])


def free_entry_id(stored: StoredList, subject: str) -> str:
    """The first of `SUBJECT-1`, `SUBJECT-2`, ... that is not taken."""
    taken = {text(one) for one in stored.columns.entry[stored.columns.subject == subject.encode()]}
    taken |= {text(one) for one in stored.columns.entry if one.startswith(subject.encode() + b"-")}
    number = 1
    while f"{subject}-{number}" in taken:
        number += 1
    return f"{subject}-{number}"


def similar_others(
    columns: Columns, subject: str, vectors: Vectors, *, least: float
) -> list[tuple[str, float]]:
    """Entries of other subjects that some of these templates resemble.

    Args:
        columns: the list.
        subject: whose templates `vectors` are.
        vectors: (k, dim) float32, unit length.
        least: similarity from which on it is reported.

    Returns:
        (entry, highest similarity), most similar first.
    """
    if not len(columns) or not len(vectors):
        return []
    best = (columns.vectors @ vectors.T).max(axis=1)
    hits = np.flatnonzero((best >= least) & (columns.subject[columns.owner] != subject.encode()))
    found: dict[int, float] = {}
    for template in hits.tolist():
        row = int(columns.owner[template])
        found[row] = max(found.get(row, -1.0), float(best[template]))
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [(text(columns.entry[row]), similarity) for row, similarity in ranked]
