"""Every rule about the columns of a list, checked at once and vectorised."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from agent.errors import DataError
from agent.values import Vectors
from agent.watchlist.columns import (
    MAX_CODES,
    MAX_DIM,
    MAX_ENTRIES,
    MAX_PER_ENTRY,
    MAX_TEMPLATES,
    MIN_DIM,
    UNIT_TOLERANCE,
    Coded,
    Columns,
    Ids,
)
from agent.watchlist.entries import MAX_WALL, Kind

MAX_ID = 64
_OPAQUE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ALLOWED = np.zeros(256, np.bool_)
_ALLOWED[[ord(c) for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-"]] = (
    True
)
_MAX_PRIORITY = 1000


def check(columns: Columns) -> None:
    """Hold columns from outside to every invariant of a list.

    Raises:
        DataError: the first rule that is broken, with the entry that breaks it.
    """
    _check_sizes(columns)
    if not len(columns):
        return
    _check_ids(columns.entry, "entry id")
    _check_ids(columns.subject, "subject id")
    check_unique(columns.entry)
    for name in ("basis", "purpose", "authorisation"):
        _check_coded(columns, getattr(columns, name), name, _OPAQUE)
    _check_times(columns)
    _check_owner(columns)
    _check_templates(columns)


def bad_vectors(vectors: Vectors) -> npt.NDArray[np.intp]:
    """Rows of (n, dim) that are not of unit length, or hold a NaN or infinity."""
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        return np.flatnonzero(~(np.abs(norms - 1.0) < UNIT_TOLERANCE))


def _check_sizes(columns: Columns) -> None:
    n, m, dim = len(columns), len(columns.owner), columns.dim
    if n > MAX_ENTRIES or m > MAX_TEMPLATES:
        raise DataError(
            f"watchlist: {n} entries with {m} templates, at most {MAX_ENTRIES} and {MAX_TEMPLATES}"
        )
    if n and not MIN_DIM <= dim <= MAX_DIM:
        raise DataError(f"watchlist: vectors of {dim} numbers, {MIN_DIM} to {MAX_DIM} are possible")
    if n == 0 and m:
        raise DataError("watchlist: templates without an entry")


def _check_ids(ids: Ids, what: str) -> None:
    width = ids.dtype.itemsize
    grid = np.frombuffer(np.ascontiguousarray(ids).tobytes(), np.uint8).reshape(len(ids), width)
    padding = grid == 0
    bad = padding[:, 0] | ~(_ALLOWED[grid] | padding).all(axis=1)
    bad |= (padding[:, :-1] & ~padding[:, 1:]).any(axis=1)
    if width > MAX_ID:
        bad |= ~padding[:, MAX_ID:].all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"watchlist: {what} {bytes(ids[row])!r} in row {row}: 1 to {MAX_ID} letters, digits "
            "and _ . : - are needed"
        )


def check_unique(ids: Ids) -> None:
    """Raise a DataError that names the first id that is there twice."""
    seen: set[bytes] = set()
    if len(set(ids.tolist())) == len(ids):
        return
    for one in ids.tolist():
        if one in seen:
            raise DataError(f"entry {one.decode()!r}: is on the list twice; each id must be unique")
        seen.add(one)


def _check_coded(
    columns: Columns, column: Coded, name: str, pattern: re.Pattern[str], owner: bool = False
) -> None:
    if len(column.values) > MAX_CODES:
        raise DataError(f"watchlist: more than {MAX_CODES} different values of {name}")
    good = np.array([bool(pattern.fullmatch(value)) for value in column.values], np.bool_)
    bad = column.codes >= len(good)
    if len(good):
        bad |= ~good[np.minimum(column.codes, len(good) - 1)]
    if bad.any():
        row = int(np.argmax(bad))
        entry = int(columns.owner[row]) if owner else row
        raise DataError(f"{_name(columns, entry)}: has no usable {name}")


def _check_times(columns: Columns) -> None:
    begin, end = columns.not_before, columns.not_after
    good = (begin >= 0) & (end > begin) & (end <= MAX_WALL)
    _refuse(columns, ~good, "needs an expiry (not_after) later than its not_before, before 3000")
    priority = columns.priority
    _refuse(
        columns, (priority < 0) | (priority > _MAX_PRIORITY), f"priority outside 0..{_MAX_PRIORITY}"
    )


def _check_owner(columns: Columns) -> None:
    owner = columns.owner
    in_order = len(owner) and owner[0] == 0 and owner[-1] == len(columns) - 1
    if not in_order or not np.isin(np.diff(owner), (0, 1)).all():
        raise DataError("watchlist: templates are not in the order of their entries, or missing")
    counts = np.bincount(owner, minlength=len(columns))
    _refuse(columns, counts > MAX_PER_ENTRY, f"has more than {MAX_PER_ENTRY} templates")


def _check_templates(columns: Columns) -> None:
    _check_coded(columns, columns.embedder, "embedder sha256", _SHA256, owner=True)
    for rows, what in (
        (np.flatnonzero(~np.isin(columns.kind, list(Kind))), "has a template of unknown kind"),
        (bad_vectors(columns.vectors), "has a template that is not a vector of unit length"),
    ):
        if len(rows):
            raise DataError(f"{_name(columns, int(columns.owner[rows[0]]))}: {what}")


def _refuse(columns: Columns, bad: npt.NDArray[np.bool_], what: str) -> None:
    if bad.any():
        raise DataError(f"{_name(columns, int(np.argmax(bad)))}: {what}")


def _name(columns: Columns, row: int) -> str:
    return f"entry {columns.entry[row].decode('ascii')!r}"
