"""Who may sign what: the roles of the repository, and what must hold between them.

`root` and `targets` and `policy` are for offline use. `targets` signs nothing but delegations; each
delegated role signs the folder of its own name, and no key may serve two roles: whoever steals
the key that publishes lists can neither arm a camera nor change the policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from securesystemslib.signer import Key
from tuf.api.metadata import TOP_LEVEL_ROLE_NAMES, Root, Targets

from agent.errors import RefusedError, UsageError

DELEGATED: Final = ("policy", "authorisations", "lists", "commands")
ROLES: Final = ("root", "targets", "snapshot", "timestamp", *DELEGATED)
OFFLINE: Final = frozenset({"root", "targets", "policy"})
_DAY_S: Final = 86_400.0
_MAX_KEYS: Final = 16


@dataclass(frozen=True, slots=True)
class RoleKeys:
    """How many keys a role has, and how many of them must sign."""

    keys: int = 1
    threshold: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.threshold <= self.keys <= _MAX_KEYS:
            raise UsageError(
                f"{self.threshold} of {self.keys} keys: the threshold must be at least 1 and at "
                f"most the number of keys, which must be at most {_MAX_KEYS}"
            )


@dataclass(frozen=True, slots=True)
class Periods:
    """How long a signature of each role is good for, in days.

    Short for what is signed by a machine every day, long for what needs people to meet.
    """

    days: Mapping[str, float] = field(
        default_factory=lambda: {
            "root": 365.0,
            "targets": 90.0,
            "policy": 90.0,
            "authorisations": 30.0,
            "lists": 30.0,
            "commands": 30.0,
            "snapshot": 7.0,
            "timestamp": 1.0,
        }
    )

    def end(self, role: str, now: float) -> float:
        """Wall seconds at which a signature made now expires."""
        return now + self.days[role] * _DAY_S

    def changed(self, changes: Sequence[str]) -> Periods:
        """With `ROLE=DAYS` applied.

        Raises:
            UsageError: no such role, or not a number of days between 0.01 and 3650.
        """
        days = dict(self.days)
        for change in changes:
            role, _, value = change.partition("=")
            days[known_role(role)] = _days(change, value)
        return Periods(days)


def default_keys(root: RoleKeys) -> dict[str, RoleKeys]:
    """Keys of every role: policy needs two people, the others one signature."""
    return {role: RoleKeys() for role in ROLES} | {"root": root, "policy": RoleKeys(2, 2)}


def known_role(role: str) -> str:
    """The role itself.

    Raises:
        UsageError: there is no such role.
    """
    if role not in ROLES:
        raise UsageError(f"no such role: {role}; roles are {', '.join(ROLES)}")
    return role


def role_keys(root: Root, targets: Targets) -> dict[str, tuple[list[Key], int]]:
    """Keys and threshold of every role, delegated ones included."""
    found = {role: _of(root, role) for role in sorted(TOP_LEVEL_ROLE_NAMES)}
    if targets.delegations is not None and targets.delegations.roles is not None:
        found |= {role: _of(targets, role) for role in targets.delegations.roles}
    return found


def check_apart(keys: Mapping[str, Sequence[Key]]) -> None:
    """No key may serve two roles, nor twice in one.

    Compared by what the key is, not by the id that metadata gives it.

    Raises:
        RefusedError: one does.
    """
    seen: dict[str, str] = {}
    for role, some in keys.items():
        for key in some:
            public = str(key.keyval.get("public"))
            if public in seen:
                raise RefusedError(
                    f"key {key.keyid[:12]} serves {seen[public]} and {role}: "
                    "each role needs keys of its own; make a new key for one of them"
                )
            seen[public] = role


def _of(delegator: Root | Targets, role: str) -> tuple[list[Key], int]:
    found = delegator.get_delegated_role(role)
    return [delegator.get_key(keyid) for keyid in found.keyids], found.threshold


def _days(change: str, value: str) -> float:
    try:
        days = float(value)
    except ValueError:
        days = 0.0
    if not 0.01 <= days <= 3650.0:  # noqa: PLR2004
        raise UsageError(f"--expires {change}: write ROLE=DAYS, between 0.01 and 3650 days")
    return days
