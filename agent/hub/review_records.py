"""What a reviewer signs, and what several reviews come to.

A review is bound to the event as it was received (its sha256), so that it says nothing about any
other. Reviews are added, never changed: a reviewer who thinks again signs another one, and the
last one of each key counts. One rejection rejects: no action follows a lead that a trained person
refused. Confirmed is what as many different keys confirmed as are needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.adapters.sealing import key_id
from agent.adapters.signing import Signs, is_signed, signed
from agent.hub.event_store import seconds
from agent.messages import iso_utc
from agent.messages.match import Sha256, Ulid
from agent.messages.signed import SignatureText, Signer, Slug
from agent.messages.times import IsoUtc

FORMAT: Final = "bodycam.review.v1"
Decision = Literal["confirmed", "rejected"]
Status = Literal["pending", "confirmed", "rejected"]
ReasonText = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
ReviewerName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.@-]{0,63}$")]


class Review(BaseModel):
    """One reviewer's word about one event.

    Attributes:
        event, device, agency: which event.
        event_sha256: of the event as the hub received it.
        similarity, threshold: as they were shown.
        photographs: sha256 of the photographs enrolled for the entry, there to compare with.
        evidence: whether the event came with a picture.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["bodycam.review.v1"] = FORMAT
    agency: Slug
    device: Slug
    event: Ulid
    event_sha256: Sha256
    similarity: float
    threshold: float
    photographs: Annotated[tuple[Sha256, ...], Field(max_length=100)]
    evidence: bool
    decision: Decision
    reason: ReasonText
    reviewer: ReviewerName
    time: IsoUtc
    signer: Signer
    signature: SignatureText


@dataclass(frozen=True, slots=True)
class Reviewer:
    """A person who may decide.

    Attributes:
        name: of the person.
        public: Ed25519 key, 32 bytes.
        added, removed: wall seconds; reviews signed while it was in the register count.
    """

    name: str
    public: bytes
    added: float
    removed: float | None = None

    @property
    def key_id(self) -> str:
        return key_id(self.public)


def sign_review(values: Mapping[str, Any], signer: Signs, *, now: float) -> Review:
    """A signed review.

    Args:
        values: every field but format, time, signer and signature.
        signer: the reviewer's key.
        now: wall seconds.

    Raises:
        ValidationError: a value is not what it must be.
    """
    named = {"format": FORMAT, **values, "time": iso_utc(now)}
    complete = Review.model_validate(named | {"signer": "0" * 32, "signature": "A" * 86 + "=="})
    return Review.model_validate(signed(complete.model_dump(mode="json"), signer))


def read_review(record: bytes, reviewers: Iterable[Reviewer], event_sha256: str) -> Review | None:
    """A review that holds: of this event, by a reviewer who was one then. None: it does not."""
    try:
        review = Review.model_validate_json(record)
    except ValidationError:
        return None
    by = next((one for one in reviewers if one.key_id == review.signer), None)
    if by is None or not is_signed(json.loads(record), by.public):
        return None
    at = seconds(review.time)
    # the time in a review has milliseconds, and is cut to them
    in_office = by.added - 1.0 <= at and (by.removed is None or at <= by.removed)
    same = review.event_sha256 == event_sha256 and review.reviewer == by.name
    return review if same and in_office else None


def status_of(reviews: Sequence[Review], needed: int) -> Status:
    """What reviews, in the order in which they were made, come to.

    Args:
        reviews: that hold.
        needed: different keys that must confirm.
    """
    words = {one.signer: one.decision for one in reviews}
    if "rejected" in words.values():
        return "rejected"
    return "confirmed" if len(words) >= needed else "pending"
