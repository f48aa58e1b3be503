"""The hub's word that it has events: on topic `.../ack`, signed by the hub's `acks` key.

An acknowledgement may come twice, late or never. It names ids that are never used again, so that
replaying it does nothing. Of alerts that were reviewed it says what reviewers decided, again and
again as it may be lost: the device counts rejected ones, each once.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.messages.match import Ulid
from agent.messages.signed import SignatureText, Signer, Slug
from agent.messages.times import IsoUtc

ACK_FORMAT: Final = "bodycam.ack.v1"
MAX_ACK: Final = 8192
"""Bytes of an acknowledgement of 100 events, and room to spare."""
MAX_IDS: Final = 100


class Ack(BaseModel):
    """The hub has these events on disk.

    Attributes:
        ids: of the events.
        confirmed, rejected: those of them that reviewers confirmed, or rejected.
        time: when the hub said so; for people, nothing depends on it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["bodycam.ack.v1"] = ACK_FORMAT
    agency: Slug
    device: Slug
    ids: Annotated[tuple[Ulid, ...], Field(min_length=1, max_length=MAX_IDS)]
    confirmed: Annotated[tuple[Ulid, ...], Field(max_length=MAX_IDS)] = ()
    rejected: Annotated[tuple[Ulid, ...], Field(max_length=MAX_IDS)] = ()
    time: IsoUtc
    signer: Signer
    signature: SignatureText

    @model_validator(mode="after")
    def _of_these(self) -> Ack:
        decided = (*self.confirmed, *self.rejected)
        if len(set(decided)) < len(decided) or not set(decided) <= set(self.ids):
            raise ValueError("ack: each id that was decided on must be among ids, once")
        return self
