"""What permits matching, and what takes that back; signed by the agency's `authorisations` role.

Each is a target of its own in the agency's repository, and fits into a command: the signature is
its own, so that neither a broker nor whoever holds the `commands` key can make one up. Who
authorised it is a role and a reference to the file, never a name.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.messages.match import OpaqueId
from agent.messages.policy import AreaClause, Kind
from agent.messages.signed import SignatureText, Signer, Slug
from agent.messages.times import IsoUtc

AUTHORISATION_FORMAT: Final = "bodycam.authorisation.v1"
REVOCATION_FORMAT: Final = "bodycam.revocation.v1"
MAX_AUTHORISATION: Final = 16 << 10
"""Bytes."""
URGENT_S: Final = 24 * 3600.0
"""An urgent one that nobody confirmed ends so long after it was issued, s."""

AuthorisationId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
"""Opaque; fit to be part of a file's name."""
Why = Literal["ended", "quashed", "rejected", "found", "mistaken", "other"]
"""Of a revocation. Codes, since it is published: words that may name somebody belong elsewhere."""


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AuthorisedBy(_Wire):
    """Who: an office and the file in which to look it up; no personal data.

    Attributes:
        role: such as `magistrate` or `superintendent`.
        reference: of the decision.
    """

    role: str = Field(pattern=r"^[a-z][a-z0-9-]{1,39}$")
    reference: str = Field(pattern=r"^[A-Za-z0-9_.:/-]{1,64}$")


class Scope(_Wire):
    """What for. Nothing here may be left open.

    Attributes:
        lists: ids of the lists that may be searched.
        devices: cameras that may search.
        areas: within one of these; wherever the policy allows without any.
        not_before, not_after: from then until then.
    """

    lists: tuple[OpaqueId, ...] = Field(min_length=1, max_length=16)
    devices: tuple[Slug, ...] = Field(min_length=1, max_length=500)
    areas: tuple[AreaClause, ...] = Field((), max_length=20)
    not_before: IsoUtc
    not_after: IsoUtc

    @model_validator(mode="after")
    def _in_order(self) -> Scope:
        if wall_of(self.not_before) >= wall_of(self.not_after):
            raise ValueError("not_after must be later than not_before")
        return self


class Authorisation(_Wire):
    """One authorisation.

    Attributes:
        id: opaque.
        version: rises when it is confirmed or changed; an older one is refused.
        type: what it is.
        scope: what for.
        authorised_by: who.
        urgent: ends 24 hours after `issued` unless `confirmed`.
        confirmed: of an urgent one: somebody who may looked at it again.
        issued: when the first version was made.
    """

    format: Literal["bodycam.authorisation.v1"] = AUTHORISATION_FORMAT
    agency: Slug
    id: AuthorisationId
    version: int = Field(ge=1, le=2**31, strict=True)
    type: Kind
    scope: Scope
    authorised_by: AuthorisedBy
    urgent: bool = False
    confirmed: bool = False
    issued: IsoUtc
    signer: Signer
    signature: SignatureText


class Revocation(_Wire):
    """The end of an authorisation, for good: everything found under it is to be deleted.

    Attributes:
        authorisation: its id.
        reason: a code.
        at: when it was revoked or rejected.
    """

    format: Literal["bodycam.revocation.v1"] = REVOCATION_FORMAT
    agency: Slug
    authorisation: AuthorisationId
    reason: Why = "other"
    at: IsoUtc
    signer: Signer
    signature: SignatureText


def wall_of(text: str) -> float:
    """Wall seconds of a time such as `2026-01-31T12:34:56.789Z`.

    Raises:
        ValueError: there is no such time.
    """
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def authorisation_target(authorisation: str) -> str:
    """Its name in the agency's repository."""
    return f"authorisations/a-{authorisation}.json"


def revocation_target(authorisation: str) -> str:
    """The name of what revokes it."""
    return f"authorisations/r-{authorisation}.json"
