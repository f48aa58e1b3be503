"""From a signed authorisation to a value, and whether a policy allows it."""

from __future__ import annotations

from dataclasses import dataclass

from agent.errors import DataError, RefusedError
from agent.messages.authorisation import URGENT_S, Authorisation, wall_of
from agent.policy.documents import area_of
from agent.policy.values import Policy
from agent.values import Wall
from agent.values.bounds import Area

MAX_LEAD_S = 300.0
"""Issued later than this from now: one of two clocks is wrong."""


@dataclass(frozen=True, slots=True)
class Grant:
    """An authorisation in short.

    Attributes:
        id, version, type: of the authorisation.
        lists, devices: it is good for; empty: any, only of the built-in consent.
        areas: it is good within one of these; empty: wherever the policy allows.
        not_before: it counts from then, wall seconds.
        ends: and until then; what the urgent rule and the policy leave of its `not_after`; None:
            never, only of the built-in consent.
        issued: wall seconds.
    """

    id: str
    version: int = 1
    type: str = "consent-test"
    lists: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    areas: tuple[Area, ...] = ()
    not_before: Wall = Wall(0.0)  # noqa: RUF009 -- a number
    ends: Wall | None = None
    issued: Wall = Wall(0.0)  # noqa: RUF009 -- a number


def grant_of(document: Authorisation) -> Grant:
    """Its value.

    Raises:
        DataError: it names a time that there is not.
    """
    scope = document.scope
    try:
        begin, end = wall_of(scope.not_before), wall_of(scope.not_after)
        issued = wall_of(document.issued)
    except ValueError:
        raise DataError(f"authorisation {document.id}: names a time that there is not") from None
    if document.urgent and not document.confirmed:
        end = min(end, issued + URGENT_S)
    return Grant(
        id=document.id,
        version=document.version,
        type=document.type,
        lists=scope.lists,
        devices=scope.devices,
        areas=tuple(map(area_of, scope.areas)),
        not_before=Wall(begin),
        ends=Wall(end),
        issued=Wall(issued),
    )


def check_grant(grant: Grant, policy: Policy, *, device: str, now: Wall) -> None:
    """Whether an authorisation may arm this device under a policy now; the list apart.

    Raises:
        RefusedError: why not.
    """
    name = f"authorisation {grant.id}"
    if grant.type not in policy.types:
        raise RefusedError(
            f"{name}: {grant.type} is not allowed by the policy {policy.name}: it must be one of "
            f"{', '.join(policy.types)}"
        )
    if grant.ends is None or grant.ends - grant.not_before > policy.max_authorisation_s:
        raise RefusedError(
            f"{name}: longer than the {policy.max_authorisation_s / 3600:g} hours that the policy "
            f"{policy.name} allows"
        )
    if device not in grant.devices:
        raise RefusedError(f"{name}: is not for this device")
    if grant.issued > now + MAX_LEAD_S:
        raise RefusedError(f"{name}: issued in the future: this clock, or the agency's, is wrong")
    if now < grant.not_before:
        raise RefusedError(f"{name}: has not begun")
    if now >= grant.ends:
        raise RefusedError(f"{name}: is over")
