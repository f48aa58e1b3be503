"""Which entries of a list go into which shard, so that a small change is a small download.

Entries are put in the order of their expiry, then of their authorisation, and cut into shards as
full as they may be: what expires together dies together. A change leaves every other shard alone,
with its name and key: what was removed is named in the manifest by its row, what was added goes
into a new shard. Two things are put right as changes go by:

- Removed rows are dead weight. Shards with more than a tenth of them are written again, the worst
  first, but no more bytes of them than the change itself removed; from a quarter on one shard in
  any case, from half on every one. So n bytes removed cost about n bytes more some time later, and
  never all of them on one day, which a fixed limit alone would bring about: random removals reach
  it everywhere together.
- Small shards add up. When there are more than eight, the smallest are made into a full one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from agent.messages.bundle import ShardRef
from agent.watchlist.columns import Coded, Columns, Ids
from agent.watchlist.shard import MAX_PLAIN, encoded_size, halved

Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

WORTH_REWRITING: Final = 0.10
"""Share of removed rows from which on a shard is written again when the change allows it."""
ONE_REWRITTEN: Final = 0.25
"""Share of removed rows from which on the worst shard is written again with any change."""
MUST_REWRITE: Final = 0.50
"""Share of removed rows from which on it is written again whatever that costs."""
SMALL: Final = 2 / 3
"""A shard below this share of the size limit is small."""
MAX_SMALL: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """One shard of the version before.

    Attributes:
        ref: its name, length and key, and which rows are removed.
        entry: (n,) ids of the rows, removed ones included.
        prints: (n,) a hash of all that is known about each.
    """

    ref: ShardRef
    entry: Ids
    prints: npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What must not be left as it is, whatever it costs.

    Attributes:
        everything: all keys become new: a device was removed.
        removed: shards with any removed row: nothing of a removed entry stays published.
        shards: the shards with these names.
    """

    everything: bool = False
    removed: bool = False
    shards: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What the new version is made of.

    Attributes:
        kept: shards as they are, apart from more removed rows.
        fresh: for every shard to be made, the rows of the list that go into it.
        dropped: names of the shards that are no longer part of the list.
    """

    kept: tuple[ShardRef, ...]
    fresh: tuple[Rows, ...]
    dropped: tuple[str, ...]


def place(ref: ShardRef, columns: Columns) -> Placed:
    """A shard as it was published.

    Args:
        ref: its place in the manifest.
        columns: all its rows as decoded, removed ones included.
    """
    return Placed(ref, columns.entry, fingerprints(columns))


def plan(
    layout: Sequence[Placed],
    columns: Columns,
    rewrite: Rewrite | None = None,
    *,
    limit: int = MAX_PLAIN,
) -> Plan:
    """How the next version is made from the one before, and what stays of it.

    Args:
        layout: every shard of the version before; none for a new list.
        columns: all entries of the new version, checked. Whatever differs in an entry, it counts
            as removed and added.
        rewrite: what must be written again.
        limit: bytes of one shard, not encrypted.
    """
    rewrite = rewrite or Rewrite()
    states = _compare(layout, columns)
    again = _to_rewrite(states, rewrite, limit)
    kept = [state for at, state in enumerate(states) if at not in again]
    waiting = np.ones(len(columns), np.bool_)
    for state in kept:
        waiting[state.rows[state.alive]] = False
    return Plan(
        tuple(state.ref for state in kept),
        tuple(cut(columns, np.flatnonzero(waiting), limit=limit)),
        tuple(states[at].ref.name for at in sorted(again)),
    )


def cut(columns: Columns, rows: Rows, *, limit: int = MAX_PLAIN) -> Iterable[Rows]:
    """These rows in the order of expiry, authorisation and id, cut where a shard is full.

    Args:
        columns: all entries.
        rows: those to be cut.
        limit: bytes of one shard, not encrypted. An entry too large for it is alone in one.
    """
    light = replace(columns, vectors=columns.vectors[:, :0])
    ordered = rows[_order(columns, rows)]
    while len(ordered):
        count = _fitting(light, ordered, columns.dim, limit)
        yield ordered[:count]
        ordered = ordered[count:]


def fingerprints(columns: Columns) -> npt.NDArray[np.uint64]:
    """(n,) hashes of all that a shard says of each entry, its vectors in half precision."""
    starts = np.searchsorted(columns.owner, np.arange(len(columns) + 1)).tolist()
    entries, templates = _entry_records(columns), _template_records(columns)
    whole = (
        entries[row].tobytes() + templates[starts[row] : starts[row + 1]].tobytes()
        for row in range(len(columns))
    )
    short = [int.from_bytes(hashlib.sha256(one).digest()[:8], "little") for one in whole]
    return np.array(short, np.uint64)


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """A shard before and after the change.

    Attributes:
        ref: with all removed rows, the new ones too.
        rows: (n,) row of each entry in the new list, -1 for none.
        alive: (n,) which are still on the list as they are.
        newly: how many this change removes.
    """

    ref: ShardRef
    rows: Rows
    alive: Mask
    newly: int

    @property
    def dead(self) -> float:
        return len(self.ref.removed) / self.ref.entries

    def size(self, entries: float) -> float:
        """Bytes of so many of its entries, about."""
        return self.ref.length * entries / self.ref.entries


def _compare(layout: Sequence[Placed], columns: Columns) -> list[_State]:
    where = {entry: row for row, entry in enumerate(columns.entry.tolist())}
    prints = fingerprints(columns)
    taken = np.zeros(len(columns), np.bool_)
    states = []
    for placed in layout:
        rows = np.array([where.get(entry, -1) for entry in placed.entry.tolist()], np.intp)
        alive = rows >= 0
        alive[list(placed.ref.removed)] = False
        alive[alive] = (prints[rows[alive]] == placed.prints[alive]) & ~taken[rows[alive]]
        taken[rows[alive]] = True
        gone = tuple(np.flatnonzero(~alive).tolist())
        ref = placed.ref.model_copy(update={"removed": gone})
        states.append(_State(ref, rows, alive, len(gone) - len(placed.ref.removed)))
    return states


def _to_rewrite(states: Sequence[_State], rewrite: Rewrite, limit: int) -> set[int]:
    """Positions of the shards that do not stay."""
    if rewrite.everything:
        return set(range(len(states)))
    again = {
        at
        for at, state in enumerate(states)
        if state.dead > MUST_REWRITE
        or state.ref.name in rewrite.shards
        or (rewrite.removed and state.ref.removed)
    }
    again |= _worst(states, again)
    return again | _crumbs(states, again, limit)


def _crumbs(states: Sequence[_State], but: set[int], limit: int) -> set[int]:
    """Where there are too many small shards: the smallest, as many as make one full one."""
    small = [
        at for at, state in enumerate(states) if at not in but and state.ref.length < SMALL * limit
    ]
    if len(small) <= MAX_SMALL:
        return set()
    chosen: set[int] = set()
    room = float(limit)
    for at in sorted(small, key=lambda one: states[one].ref.length):
        room -= states[at].size(int(states[at].alive.sum()))
        if room < 0 and len(chosen) > len(small) - MAX_SMALL:
            break
        chosen.add(at)
    return chosen


def _worst(states: Sequence[_State], but: set[int]) -> set[int]:
    """What else is worth rewriting, worst first, as far as the change pays for it."""
    budget = sum(state.size(state.newly) for state in states)
    worth = [
        at for at, state in enumerate(states) if at not in but and state.dead > WORTH_REWRITING
    ]
    chosen: set[int] = set()
    for at in sorted(worth, key=lambda one: -states[one].dead):
        budget -= states[at].size(int(states[at].alive.sum()))
        if budget < 0 and (chosen or states[at].dead <= ONE_REWRITTEN):
            break
        chosen.add(at)
    return chosen


def _order(columns: Columns, rows: Rows) -> Rows:
    authorisation = np.array(columns.authorisation.values, np.str_)
    keys = (
        columns.entry[rows],
        authorisation[columns.authorisation.codes[rows]],
        columns.not_after[rows],
    )
    return np.lexsort(keys) if len(rows) else rows


def _fitting(light: Columns, ordered: Rows, dim: int, limit: int) -> int:
    """How many of the first rows fill one shard; at least one."""
    per_entry = 2 * dim + 32
    low, high = 1, min(len(ordered), max(1, limit // per_entry)) + 1
    while high - low > 1:
        middle = (low + high) // 2
        if encoded_size(light.pick(ordered[:middle]), dim) <= limit:
            low = middle
        else:
            high = middle
    return low


def _entry_records(columns: Columns) -> npt.NDArray[np.void]:
    """(n,) the fields of each entry, texts hashed, side by side."""
    coded = ("basis", "purpose", "authorisation")
    kinds = [("entry", "S64"), ("subject", "S64"), *((name, "V16") for name in coded)]
    numbers = [("priority", "<i4"), ("not_before", "<f8"), ("not_after", "<f8")]
    records = np.zeros(len(columns), np.dtype(kinds + numbers))
    for name in ("entry", "subject", "priority", "not_before", "not_after"):
        records[name] = getattr(columns, name)
    for name in coded:
        records[name] = _hashed(getattr(columns, name))
    return records


def _template_records(columns: Columns) -> npt.NDArray[np.void]:
    """(m,) the fields of each template side by side."""
    half = f"({columns.dim},)<f2"
    kinds = [("kind", "u1"), ("source", "(32,)u1"), ("embedder", "V16"), ("vector", half)]
    records = np.zeros(len(columns.owner), np.dtype(kinds))
    records["kind"], records["source"] = columns.kind, columns.source
    records["embedder"] = _hashed(columns.embedder)
    records["vector"] = halved(columns.vectors)
    return records


def _hashed(column: Coded) -> npt.NDArray[np.void]:
    digests = [hashlib.sha256(value.encode()).digest()[:16] for value in column.values]
    return np.frombuffer(b"".join([*digests, bytes(16)]), "V16")[column.codes]
