"""Whether a list may be used: when it arrives, and every time it is loaded again.

One bad entry refuses the whole list, because an agency that signed one may have signed others; the
list before stays in use for as long as it is valid itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.errors import DataError, RefusedError
from agent.messages.bundle import ListManifest
from agent.values import Wall
from agent.watchlist.check import check
from agent.watchlist.columns import Coded, Columns, StoredList, text

CLOCK_TOLERANCE_S = 2.0
"""How far a clock may be set back before what it says about expiry is not believed."""
MAX_LEAD_S = 300.0
"""A list made later than this from now was made under another clock."""


@dataclass(frozen=True, slots=True)
class ArrivalRules:
    """What the policy says about lists.

    Attributes:
        bases, purposes: codes that an entry may carry.
        max_templates: longest list.
        max_list_age_s: a list made longer ago is not used, seconds.
        max_entry_s: an entry may end this long after its list was made, seconds; infinity where
            the policy does not say.
    """

    bases: tuple[str, ...]
    purposes: tuple[str, ...]
    max_templates: int
    max_list_age_s: float
    max_entry_s: float = math.inf


def check_arrival(
    stored: StoredList,
    manifest: ListManifest,
    *,
    rules: ArrivalRules,
    space: str,
    now: Wall,
    high_water: Wall,
) -> None:
    """Hold a list that has just been assembled to every rule; nothing of it was used before.

    Args:
        stored: all of it.
        manifest: of the version.
        rules: of the policy in force.
        space: family of the embedder this device runs.
        now: trusted time.
        high_water: the latest time this device has known.

    Raises:
        DataError: it is not what a list must be; the entry is named.
        RefusedError: the policy or the time forbids it; the entry is named where it is one.
    """
    columns = stored.columns
    if (len(columns), len(columns.owner)) != (manifest.entries, manifest.templates):
        raise DataError(
            f"list {manifest.list}: {len(columns)} entries with {len(columns.owner)} templates, "
            f"the manifest says {manifest.entries} with {manifest.templates}"
        )
    check_use(stored, manifest, rules=rules, space=space, now=now, high_water=high_water)


def check_use(
    stored: StoredList,
    manifest: ListManifest,
    *,
    rules: ArrivalRules,
    space: str,
    now: Wall,
    high_water: Wall,
) -> None:
    """The same for what is left of a list, some of whose entries may have ended and been destroyed.

    Args and errors: as for `check_arrival`.
    """
    check_time(manifest, max_list_age_s=rules.max_list_age_s, now=now, high_water=high_water)
    _check_identity(stored, manifest, space)
    columns = stored.columns
    if len(columns.owner) > rules.max_templates:
        raise RefusedError(
            f"list {manifest.list}: {len(columns.owner)} templates, the policy allows "
            f"{rules.max_templates}"
        )
    check(columns)
    _check_codes(columns, columns.basis, "basis", rules.bases)
    _check_codes(columns, columns.purpose, "purpose", rules.purposes)
    _check_ends(columns, manifest, rules.max_entry_s)


def check_time(
    manifest: ListManifest, *, max_list_age_s: float, now: Wall, high_water: Wall
) -> None:
    """Whether a list may be used at this moment. Cheap: for a timer.

    Raises:
        RefusedError: it has ended, is too old, or the clock cannot be right.
    """
    name = f"list {manifest.list} version {manifest.version}"
    if not now >= high_water - CLOCK_TOLERANCE_S:
        raise RefusedError(
            f"{name}: the clock is wrong: it is {high_water - now:.0f} s behind a time this device "
            "has known"
        )
    if manifest.created > now + MAX_LEAD_S:
        raise RefusedError(
            f"{name}: made {manifest.created - now:.0f} s from now: this clock, or the agency's, "
            "is wrong"
        )
    moment = max(now, high_water)
    if moment >= manifest.not_after:
        raise RefusedError(f"{name}: ended {moment - manifest.not_after:.0f} s ago; sync a new one")
    if moment - manifest.created > max_list_age_s:
        raise RefusedError(
            f"{name}: made {moment - manifest.created:.0f} s ago, the policy allows "
            f"{max_list_age_s:g} s; sync a new one"
        )


def _check_identity(stored: StoredList, manifest: ListManifest, space: str) -> None:
    said = (manifest.list, manifest.version, manifest.space)
    if (stored.id, stored.version, stored.space) != said:
        raise DataError(
            f"list {manifest.list}: its entries are of {stored.id} version {stored.version} for "
            f"{stored.space!r}, the manifest says version {manifest.version} for {manifest.space!r}"
        )
    if manifest.space != space:
        raise DataError(
            f"list {manifest.list}: its templates were made by {manifest.space!r}, this device "
            f"runs {space!r}; publish it for these models, or set the models that fit"
        )
    if stored.columns.dim != manifest.dim:
        raise DataError(
            f"list {manifest.list}: vectors of {stored.columns.dim} numbers, the manifest says "
            f"{manifest.dim}"
        )


def _check_codes(columns: Columns, column: Coded, what: str, allowed: tuple[str, ...]) -> None:
    forbidden = np.array([value not in allowed for value in column.values], np.bool_)
    bad = forbidden[column.codes]
    if bad.any():
        row = int(np.argmax(bad))
        raise RefusedError(
            f"entry {text(columns.entry[row])!r}: {what} {column[row]!r} is not allowed by the "
            f"policy; use one of {', '.join(allowed)}"
        )


def _check_ends(columns: Columns, manifest: ListManifest, max_entry_s: float) -> None:
    over = columns.not_after <= manifest.created
    _refuse(columns, over, "had ended before the list was made")
    late = columns.not_after > manifest.created + max_entry_s
    _refuse(columns, late, f"ends more than {max_entry_s:g} s after the list was made")


def _refuse(columns: Columns, bad: npt.NDArray[np.bool_], what: str) -> None:
    if bad.any():
        raise RefusedError(f"entry {text(columns.entry[int(np.argmax(bad))])!r}: {what}")
