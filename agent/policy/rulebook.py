"""Everything that permits or forbids matching on one device, at one moment, and what ends it.

The rule is one: matching goes on while nothing forbids it, and what is not known forbids it. Each
function gives the reason in words, for the operator and the audit log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from agent.errors import RefusedError
from agent.policy.bounds import why_outside, within_schedule
from agent.policy.field_test import FIELD_TEST
from agent.policy.grants import Grant, check_grant
from agent.policy.states import Cause
from agent.policy.trusted_time import TimeSigns, why_moved, why_untrusted
from agent.policy.values import Policy
from agent.values import Monotonic, Wall
from agent.values.place import Fix


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is so now.

    Attributes:
        wall, now: both clocks.
        signs: what speaks for the wall clock.
        fix: the latest position.
        list_id: of the list in service.
        fpir: what the running monitor of false alerts says against matching; empty: nothing.
    """

    wall: Wall
    now: Monotonic
    signs: TimeSigns = TimeSigns()  # noqa: RUF009 -- frozen
    fix: Fix | None = None
    list_id: str = ""
    fpir: str = ""


@dataclass(frozen=True, slots=True)
class Breach:
    """Why matching may not go on."""

    cause: Cause
    reason: str


@dataclass(frozen=True, slots=True)
class Rulebook:
    """The rules of one device.

    Attributes:
        policy: in force.
        device: name of this device.
        grants: authorisations that were loaded, by id.
        revoked: ids that are revoked, for good.
        trouble: why nothing may be matched whatever the rest says; empty when nothing is wrong.
    """

    policy: Policy = FIELD_TEST
    device: str = ""
    grants: Mapping[str, Grant] = field(default_factory=lambda: MappingProxyType({}))
    revoked: frozenset[str] = frozenset()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Permit:
    """A grant in use.

    Attributes:
        grant: the authorisation.
        began: both clocks at arming: from then on the wall clock may not be moved.
        ends_at: monotonic end of the grant, so that no wall clock can lengthen it; None: never.
    """

    grant: Grant
    began: tuple[Wall, Monotonic]
    ends_at: Monotonic | None


def permit(book: Rulebook, authorisation: str, here: Circumstances) -> Permit:
    """What arming under an authorisation rests on.

    Raises:
        RefusedError: why it is not permitted now.
    """
    if book.trouble:
        raise RefusedError(book.trouble)
    if authorisation in book.revoked:
        raise RefusedError(f"authorisation {authorisation}: was revoked")
    if not book.policy.signed:
        given = Permit(Grant(authorisation), (here.wall, here.now), None)
    else:
        given = _signed_permit(book, authorisation, here)
    found = breach(book, given, here)
    if found is not None:
        raise RefusedError(found.reason)
    return given


def entry_counts(book: Rulebook, authorisation: str, *, now: Wall) -> bool:
    """Whether an entry under this authorisation may be matched now; what permits the use apart."""
    if authorisation in book.revoked:
        return False
    grant = book.grants.get(authorisation)
    if grant is None:
        return not book.policy.loaded_authorisations_only
    return grant.not_before <= now and (grant.ends is None or now < grant.ends)


def breach(book: Rulebook, permit: Permit, here: Circumstances) -> Breach | None:
    """Why matching may not go on under a permit; None when it may. Cheap: asked at every frame."""
    grant, policy = permit.grant, book.policy
    if grant.id in book.revoked:
        return Breach(Cause.REVOKED, f"authorisation {grant.id} was revoked")
    if book.trouble:
        return Breach(Cause.RULES, book.trouble)
    if here.fpir:
        return Breach(Cause.FPIR, here.fpir)
    if policy.signed:
        return _time(book, permit, here) or _place(policy, grant, here)
    return None


def _signed_permit(book: Rulebook, authorisation: str, here: Circumstances) -> Permit:
    grant = book.grants.get(authorisation)
    if grant is None:
        raise RefusedError(
            f"authorisation {authorisation}: not loaded here; it comes with the next sync "
            "(bodycam-agent ctl sync), or is not for this device"
        )
    check_grant(grant, book.policy, device=book.device, now=here.wall)
    assert grant.ends is not None  # checked above
    return Permit(grant, (here.wall, here.now), Monotonic(here.now + (grant.ends - here.wall)))


def _time(book: Rulebook, permit: Permit, here: Circumstances) -> Breach | None:
    """Doubt about the clock comes first: nothing else can be told without it."""
    policy, grant = book.policy, permit.grant
    moved = why_moved(permit.began, wall=here.wall, now=here.now)
    doubt = moved or why_untrusted(
        policy.time_sources, here.signs, here.fix, wall=here.wall, now=here.now
    )
    if doubt:
        return Breach(Cause.TIME, doubt)
    if policy.not_after is None or not policy.not_before <= here.wall < policy.not_after:
        return Breach(Cause.POLICY_OVER, f"the policy {policy.name} is not in force now")
    if grant.ends is None or permit.ends_at is None:
        return Breach(Cause.AUTHORISATION_OVER, f"authorisation {grant.id} has no end")
    if not grant.not_before <= here.wall < grant.ends or here.now >= permit.ends_at:
        return Breach(Cause.AUTHORISATION_OVER, f"authorisation {grant.id} is over")
    if not within_schedule(policy.schedule, now=here.wall):
        return Breach(Cause.SCHEDULE, f"outside the schedule of the policy {policy.name}")
    return None


def _place(policy: Policy, grant: Grant, here: Circumstances) -> Breach | None:
    for areas in (policy.areas, grant.areas):
        why = why_outside(
            here.fix,
            areas,
            max_age_s=policy.max_fix_age_s,
            max_error_m=policy.max_fix_error_m,
            now=here.now,
        )
        if why:
            return Breach(Cause.AREA, why)
    if here.list_id not in grant.lists:
        return Breach(Cause.LIST, f"authorisation {grant.id} is not for the list {here.list_id}")
    return None


def renewed(book: Rulebook, permit: Permit, here: Circumstances) -> Permit | Breach:
    """The permit under other rules: a new version of its authorisation, or another policy.

    It goes on only if it would be given now; it never gets a later beginning, so that a clock that
    was moved stays found out.
    """
    if not book.policy.signed:
        return breach(book, permit, here) or permit
    found = breach(book, permit, here)
    if found is not None and found.cause in (Cause.REVOKED, Cause.RULES):
        return found
    try:
        fresh = _signed_permit(book, permit.grant.id, here)
    except RefusedError as error:
        return Breach(Cause.POLICY_CHANGED, str(error))
    kept = Permit(fresh.grant, permit.began, fresh.ends_at)
    return breach(book, kept, here) or kept
