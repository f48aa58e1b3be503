"""A damaged outbox, read row by row and page by page for what is still whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from agent.adapters.outbox_schema import checksum
from agent.adapters.sqlite_pages import Value, leaf_rows
from agent.messages import ulid_wall_s

Row: TypeAlias = tuple[Any, ...]
COLUMNS = (
    "seq", "id", "topic", "payload", "priority", "created_at", "gap", "boot", "at", "sum",
    "attempts", "parked",
)  # fmt: skip
_V1 = (
    "SELECT seq, id, topic, payload, priority, created_at, 0, '', NULL, x'', attempts, parked"
    " FROM entry NOT INDEXED"
)
_V2 = f"SELECT {', '.join(COLUMNS)} FROM entry NOT INDEXED"  # noqa: S608 - constants
_WIDTH = 13
"""Columns of the table, `seq` and `size` included."""
_PROBES = 200_000
_UNREADABLE = (sqlite3.Error, OverflowError, UnicodeDecodeError)
"""What Python raises at damaged pages; messages of SQLite may be damaged as well."""
_IDS = "SELECT id, seq FROM entry INDEXED BY sqlite_autoindex_entry_1"
_SEQS = "SELECT seq, priority FROM entry INDEXED BY entry_weight"


@dataclass(slots=True)
class Remains:
    """What could be read.

    Attributes:
        entries: whole rows, as `COLUMNS`, by seq.
        lost: seq of each row known to have been there, to its id if that is known.
        exact: False when there may have been more.
        cooldowns, meta, given_up: rows of these tables.
    """

    entries: dict[int, Row] = field(default_factory=dict)
    lost: dict[int, str] = field(default_factory=dict)
    exact: bool = False
    cooldowns: list[Row] = field(default_factory=list)
    meta: list[Row] = field(default_factory=list)
    given_up: list[Row] = field(default_factory=list)


def read_remains(path: Path) -> Remains:
    """Everything of a damaged database that is whole. The file is opened for reading only.

    First as SQLite reads it; then, if anything is missing, page by page.
    """
    remains = Remains()
    known: dict[int, str] | None = None
    with suppress(*_UNREADABLE), closing(_open(path)) as db:
        known = _read_entries(db, remains)
        remains.cooldowns = _rows(db, "SELECT key, id, until FROM cooldown")
        remains.meta = _rows(db, "SELECT key, value FROM meta")
        remains.given_up = _rows(db, "SELECT reason, events, first, last, exact FROM given_up")
    if remains.lost or not remains.exact:
        with suppress(OSError):
            _read_pages(path, remains, known)
    return remains


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    db.text_factory = _text
    return db


def _text(raw: bytes) -> str:
    """Damaged text must not end the reading; its row then fails its checksum."""
    return raw.decode("utf-8", "replace")


def _read_entries(db: sqlite3.Connection, remains: Remains) -> dict[int, str] | None:
    """Returns seq and id of every row there was; None when nothing tells."""
    query, sealed = (_V2, True) if _has(db, "SELECT sum FROM entry LIMIT 0") else (_V1, False)
    known, complete = _known(db)
    seen: set[int] = set()

    def take(row: Row) -> None:
        seen.add(row[0])
        if _whole(row, sealed=sealed):
            remains.entries[row[0]] = row

    remains.exact = _walk(db, query, known, take) or complete
    for seq in (known.keys() | seen) - remains.entries.keys():
        remains.lost[seq] = known.get(seq, "")
    return dict(remains.lost) if remains.exact else None


def _read_pages(path: Path, remains: Remains, missing: dict[int, str] | None) -> None:
    """Rows that no tree leads to any more; none but the missing ones, if those are known: a page
    that is no longer in use may hold a row that was delivered long ago.
    """
    for seq, values in leaf_rows(path):
        if _is_mark(values):
            remains.cooldowns.append(tuple(values))
        if len(values) != _WIDTH or seq in remains.entries:
            continue
        row = _row(seq, values)
        if (missing is None or seq in missing) and _whole(row, sealed=True):
            remains.entries[seq] = row
            remains.lost.pop(seq, None)


def _is_mark(values: list[Value]) -> bool:
    """Whether these are key, id and end of a cool-down mark, which has no checksum."""
    if len(values) != 3 or not isinstance(values[0], str):  # noqa: PLR2004 - see above
        return False
    event = isinstance(values[1], str) and ulid_wall_s(values[1]) is not None
    return event and isinstance(values[2], int | float)


def _row(seq: int, values: list[Value]) -> Row:
    """As `COLUMNS`, from the columns in the order of the table; SQLite stores whole REALs as
    integers.
    """
    _, event, topic, payload, priority, created_at, attempts, parked = values[:8]
    gap, boot, at, _, total = values[8:]
    created_at = float(created_at) if isinstance(created_at, int) else created_at
    at = float(at) if isinstance(at, int) else at
    return seq, event, topic, payload, priority, created_at, gap, boot, at, total, attempts, parked


def _known(db: sqlite3.Connection) -> tuple[dict[int, str], bool]:
    """Seq and id of each row, from the indexes, and whether one of them was read to its end."""
    ids, all_ids = _collect(db, _IDS)
    seqs, all_seqs = _collect(db, _SEQS)
    known = {seq: "" for seq, _ in seqs if isinstance(seq, int)}
    known.update({seq: str(text) for text, seq in ids if isinstance(seq, int)})
    return known, all_ids or all_seqs


def _walk(
    db: sqlite3.Connection, query: str, known: dict[int, str], take: Callable[[Row], None]
) -> bool:
    """Read from the front until something is broken, from the back, then each row between.

    Returns:
        whether nothing was broken.
    """
    rows, whole = _collect(db, query + " ORDER BY seq")
    for row in rows:
        take(row)
    if whole:
        return True
    last = max((row[0] for row in rows), default=0)
    rows, _ = _collect(db, query + " ORDER BY seq DESC")
    for row in rows:
        take(row)
    first = min((row[0] for row in rows), default=max(known, default=0) + 1)
    between = known or range(last + 1, min(first, last + _PROBES))
    for seq in between:
        if last < seq < first:
            for row in _rows(db, f"{query} WHERE seq = {seq}"):
                take(row)
    return False


def _whole(row: Row, *, sealed: bool) -> bool:
    _, event, topic, payload, priority, created_at, gap, boot, at, total, attempts, parked = row
    kinds: tuple[tuple[object, type], ...] = (
        (event, str), (topic, str), (payload, bytes), (priority, int), (created_at, float),
        (gap, int), (boot, str), (attempts, int), (total, bytes),
    )  # fmt: skip
    if not all(isinstance(value, kind) for value, kind in kinds):
        return False
    if not isinstance(at, float | None) or not isinstance(parked, str | None):
        return False
    content = (event, topic, payload, priority, created_at, gap, boot, at)
    return not sealed or checksum(*content) == total


def _has(db: sqlite3.Connection, query: str) -> bool:
    try:
        db.execute(query)
    except _UNREADABLE:
        return False
    return True


def _rows(db: sqlite3.Connection, query: str) -> list[Row]:
    return _collect(db, query)[0]


def _collect(db: sqlite3.Connection, query: str) -> tuple[list[Row], bool]:
    """The rows up to the first that cannot be read, and whether that was the end."""
    rows: list[Row] = []
    try:
        for row in db.execute(query):
            rows.append(row)  # noqa: PERF402 - what was read before an error must stay
    except _UNREADABLE:
        return rows, False
    return rows, True
