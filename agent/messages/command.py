"""A command from afar: on topic `.../command`, signed by the agency's `commands` role.

What starts something (`arm`, `authorise`) names the session of the agent it is meant for, as the
state message tells it, so that nothing recorded can be played back to a device that was restarted
or wiped. What stops something needs none. `counter` rises with every command to a device, and the
device remembers the highest. `device_key` is the name of the device's X25519 key, which is new
with every provisioning: a command to a device does not fit the same device provisioned anew.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.messages.authorisation import Authorisation, Revocation
from agent.messages.bundle import KeyId
from agent.messages.match import Ulid
from agent.messages.signed import SignatureText, Signer, Slug

COMMAND_FORMAT: Final = "bodycam.command.v1"
MAX_COMMAND: Final = 4096
"""Bytes."""
CommandName = Literal[
    "disarm", "sync", "report", "arm", "unpark", "authorise", "revoke", "reset-monitor"
]
STARTS: Final = frozenset({"arm", "authorise"})
"""Commands that start something."""

Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class CommandArguments(BaseModel):
    """What a command is about; each uses what it needs.

    Attributes:
        reason: of `arm` and `reset-monitor` (needed), and `disarm`; goes into the audit log.
        authorisation: of `arm` (needed).
        event: of `unpark`: this event alone; every parked one without it.
        document: of `authorise` (needed): signed by the `authorisations` role. One that does not
            fit into a command comes with the next sync.
        revocation: of `revoke` (needed): signed by the same role.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Text = ""
    authorisation: str = Field("", max_length=64, pattern=r"^[A-Za-z0-9_.:-]*$")
    event: Ulid | None = None
    document: Authorisation | None = None
    revocation: Revocation | None = None


class Command(BaseModel):
    """One command to one device.

    Attributes:
        device_key: name of the device's X25519 public key (the hub's `Device.key_id`).
        counter: higher than in every command before to this device.
        not_after: refused from then on, whole wall seconds.
        session: of the agent, for what starts something; else null.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["bodycam.command.v1"] = COMMAND_FORMAT
    agency: Slug
    device: Slug
    device_key: KeyId
    counter: int = Field(ge=1, le=2**53, strict=True)
    not_after: int = Field(ge=0, le=32_503_680_000, strict=True)
    session: Annotated[int, Field(ge=0, le=2**53, strict=True)] | None = None
    command: CommandName
    arguments: CommandArguments = CommandArguments()
    signer: Signer
    signature: SignatureText

    @model_validator(mode="after")
    def _complete(self) -> Command:
        if self.command in STARTS and self.session is None:
            raise ValueError(f"{self.command}: needs the session it is meant for")
        if self.command == "arm" and not (self.arguments.reason and self.arguments.authorisation):
            raise ValueError("arm: needs a reason and an authorisation")
        if self.command == "reset-monitor" and not self.arguments.reason:
            raise ValueError("reset-monitor: needs a reason")
        if self.command == "authorise" and self.arguments.document is None:
            raise ValueError("authorise: needs the document")
        if self.command == "revoke" and self.arguments.revocation is None:
            raise ValueError("revoke: needs the revocation")
        return self
