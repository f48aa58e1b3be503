"""From the entries that are listed now to those of the next version, as values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from agent.errors import DataError, RefusedError
from agent.policy import Policy
from agent.watchlist.columns import Coded, Columns, Ids, concat, text
from agent.watchlist.sharding import fingerprints

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Difference:
    """Entries of a version against those of the one before.

    Attributes:
        added, removed, replaced: ids; replaced are those of which anything differs.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    replaced: tuple[str, ...]


def difference(old: Columns, new: Columns) -> Difference:
    """What changed between two versions."""
    before = _prints(old)
    after = _prints(new)
    return Difference(
        _texts(one for one in after if one not in before),
        _texts(one for one in before if one not in after),
        _texts(one for one, print_ in after.items() if before.get(one, print_) != print_),
    )


def unit(columns: Columns) -> Columns:
    """With vectors of unit length to the last bit of float32, so that the same file gives the same
    shard. `check` allows a thousandth.
    """
    norms = np.linalg.norm(columns.vectors, axis=1, keepdims=True)
    return replace(columns, vectors=columns.vectors / np.maximum(norms, np.float32(1e-6)))


def with_changes(old: Columns, changes: Columns) -> Columns:
    """The entries of `changes`, and those of `old` that it does not name.

    Raises:
        DataError: vectors of another length.
    """
    if not len(old):
        return changes
    if old.dim != changes.dim:
        raise DataError(f"the list holds vectors of {old.dim} numbers, not {changes.dim}")
    kept = old.take(~np.isin(old.entry, changes.entry))
    return concat([kept, changes]) if len(kept) else changes


def chosen(
    columns: Columns,
    *,
    entries: Sequence[str] = (),
    subjects: Sequence[str] = (),
    authorisations: Sequence[str] = (),
) -> Mask:
    """(n,) the entries named by any of these ids.

    Raises:
        DataError: an id that no entry has; the first such.
    """
    mask = np.zeros(len(columns), np.bool_)
    for what, ids, column in (
        ("entry", entries, columns.entry),
        ("subject", subjects, columns.subject),
    ):
        for one in ids:
            mask |= _found(column == one.encode("utf-8", "replace"), what, one)
    for one in authorisations:
        mask |= _found(coded(columns.authorisation, one), "authorisation", one)
    return mask


def coded(column: Coded, value: str) -> Mask:
    """(n,) the rows with this value."""
    if value not in column.values:
        return np.zeros(len(column.codes), np.bool_)
    return np.asarray(column.codes == column.values.index(value), np.bool_)


def over(columns: Columns, now: float) -> Mask:
    """(n,) the entries whose time is over."""
    return np.asarray(columns.not_after <= now, np.bool_)


def check_policy(columns: Columns, policy: Policy, now: float) -> None:
    """Hold new entries to the policy and to the present time.

    Raises:
        RefusedError: names the entry that may not be on a list.
    """
    for column, what, allowed in (
        (columns.basis, "basis", policy.bases),
        (columns.purpose, "purpose", policy.purposes),
    ):
        for value in column.values:
            rows = np.flatnonzero(coded(column, value))
            if value not in allowed and len(rows):
                raise RefusedError(
                    f"entry {text(columns.entry[rows[0]])!r}: {what} {value!r} is not allowed by "
                    f"the policy {policy.name}: use one of {', '.join(allowed)}"
                )
    ended = np.flatnonzero(over(columns, now))
    if len(ended):
        raise RefusedError(
            f"entry {text(columns.entry[ended[0]])!r}: its time (not_after) is over already"
        )


def embedders(columns: Columns) -> dict[str, int]:
    """Templates by the network that made them."""
    counts = np.bincount(columns.embedder.codes, minlength=len(columns.embedder.values))
    return {
        value: int(count)
        for value, count in zip(columns.embedder.values, counts, strict=True)
        if count
    }


def ids(column: Ids) -> tuple[str, ...]:
    return tuple(text(one) for one in column)


def _found(mask: Mask, what: str, one: str) -> Mask:
    if not mask.any():
        raise DataError(f"{what} {one!r}: not on the list; nothing was changed")
    return mask


def _prints(columns: Columns) -> dict[bytes, int]:
    if not len(columns):
        return {}
    return dict(zip(columns.entry.tolist(), fingerprints(columns).tolist(), strict=True))


def _texts(some: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(one.decode("ascii") for one in some)
