"""A sealed event: a CloudEvent whose data only the agency can read, signed by the device.

Whoever carries it learns which device raised something when, of what type, and whether it is old:
nothing of whom. There is no `subject`; it is inside. `historical` is outside, because a device
that sends a stored event has no key at hand to open or seal it anew; whoever opens the event
writes it into the data.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.messages.bundle import KeyId
from agent.messages.match import OpaqueId, Ulid
from agent.messages.signed import SignatureText, Signer
from agent.messages.times import IsoUtc

SEALED_CONTENT: Final = "application/vnd.bodycam.sealed+json"
MAX_SEALED: Final = 96_000
"""Characters of base64: an event with the largest evidence, sealed, and the rest below 100 kB."""


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SealedData(_Wire):
    """What only the agency can read.

    Attributes:
        key_id: of the agency's X25519 key.
        sealed: HPKE of a `SealedContent`, base64 on one line.
    """

    key_id: KeyId
    sealed: str = Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$", min_length=64, max_length=MAX_SEALED)


class SealedEvent(_Wire):
    """On the wire. `signature` covers all the rest, see `agent.messages.signed`."""

    specversion: Literal["1.0"] = "1.0"
    id: Ulid
    source: str = Field(pattern=r"^/[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", max_length=140)
    type: Literal[
        "bodycam.match.v1", "bodycam.match.update.v1", "bodycam.test.v1", "bodycam.gap.v1"
    ]
    time: IsoUtc
    datacontenttype: Literal["application/vnd.bodycam.sealed+json"] = SEALED_CONTENT
    data: SealedData
    historical: bool
    signer: Signer
    signature: SignatureText


class SealedContent(_Wire):
    """What is sealed: the `data` of the open event, and its `subject` where it has one.

    `data` is checked when it is put back into an open event, see
    `agent.adapters.sealed_events.open_event`.
    """

    subject: OpaqueId | None = None
    data: Annotated[dict[str, Any], Field(max_length=40)]


def sealed_info(agency: str, device: str, event_id: str, event_type: str) -> bytes:
    """What the sealed data of an event is bound to."""
    return f"bodycam.sealed.v1/{agency}/{device}/{event_id}/{event_type}".encode()
