"""A list for an auditor: what it is made of and how it came about, and nothing of a person."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from agent.hub.changes import embedders, ids
from agent.hub.list_values import Facts, ListRecord
from agent.hub.present import Present
from agent.hub.telling import facts_json
from agent.messages import iso_utc
from agent.watchlist.columns import Coded, Columns

_DAY_S: Final = 86_400.0
_EDGES: Final = (0.0, 1.0, 7.0, 31.0, 92.0, 366.0)
"""Days, between which entries are counted."""


def report(
    record: ListRecord,
    present: Present,
    facts: Sequence[Facts],
    *,
    recipients: int,
    now: float,
    entries: bool = False,
) -> dict[str, Any]:
    """The list as it is published now.

    Args:
        record: of the list.
        present: what is published.
        facts: of every version, oldest first.
        recipients: devices that may read the next version.
        now: wall seconds.
        entries: with the id of each entry and subject, which is not for an auditor.
    """
    columns = present.stored.columns
    since = present.since_of_entries()
    told = {
        "list": record.id,
        "name": record.name,
        "created": iso_utc(record.created),
        "version": present.stored.version,
        "not_after": iso_utc(present.not_after) if facts else None,
        "space": present.stored.space,
        "entries": len(columns),
        "subjects": len(np.unique(columns.subject)),
        "templates": len(columns.owner),
        "by_basis": _by(columns, columns.basis),
        "by_purpose": _by(columns, columns.purpose),
        "by_authorisation": _by(columns, columns.authorisation),
        "by_embedder": embedders(columns) if len(columns) else {},
        "by_days_on_the_list": _by_days((now - since) / _DAY_S),
        "by_days_left": _by_days((columns.not_after - now) / _DAY_S),
        "not_yet_valid": int((columns.not_before > now).sum()),
        "recipients": recipients,
        "rejected_photographs": _latest(facts, "rejected"),
        "near_duplicates": _latest(facts, "duplicates"),
        "versions": [_version(record, one) for one in facts],
    }
    return told | ({"listed": _listed(columns)} if entries else {})


def _by(columns: Columns, column: Coded) -> dict[str, dict[str, int]]:
    """Entries and templates for each value."""
    size = len(column.values)
    counted = np.bincount(column.codes, minlength=size).tolist()
    templates = np.bincount(column.codes[columns.owner], minlength=size).tolist()
    return {
        value: {"entries": counted[code], "templates": templates[code]}
        for code, value in sorted(enumerate(column.values), key=lambda one: one[1])
        if counted[code]
    }


def _by_days(days: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, int]:
    """How many lie between the edges; what is over or begins in the future counts as 0 days."""
    days = np.maximum(days, 0.0)
    counts = {
        f"{low:g} to {high:g}": int(((days >= low) & (days < high)).sum())
        for low, high in pairwise(_EDGES)
    }
    return counts | {f"{_EDGES[-1]:g} and more": int((days >= _EDGES[-1]).sum())}


def _latest(facts: Sequence[Facts], name: str) -> Any:
    """Of the latest version that was made of photographs or compared; None without one."""
    found = [getattr(one, name) for one in facts if one.duplicates is not None or one.rejected]
    return found[-1] if found else None


def _version(record: ListRecord, facts: Facts) -> dict[str, Any]:
    told = facts_json(record, facts)
    return {name: value for name, value in told.items() if name not in ("list", "name")}


def _listed(columns: Columns) -> list[dict[str, Any]]:
    subjects = ids(columns.subject)
    return [
        {
            "entry": entry,
            "subject": subjects[row],
            "basis": columns.basis[row],
            "purpose": columns.purpose[row],
            "authorisation": columns.authorisation[row],
            "not_after": iso_utc(float(columns.not_after[row])),
        }
        for row, entry in enumerate(ids(columns.entry))
    ]
