"""The local control socket: one JSON object a line, a request answered by one reply."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.messages.provisioning import UnlockRelease

Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
MAX_LINE = 4096
"""Longest request in bytes, newline included."""


class ControlRequest(BaseModel):
    """What the operator asks of the running agent.

    `arm` needs a reason and an authorisation id; `disarm` a reason; `unlock` one of the three last
    fields; the others nothing. `sync` begins a look for a newer list, soon; `unpark` sends what
    was refused again. `test-alert` raises an
    alert about nobody; with `event` it asks what became of that one. `policy` asks for the signed
    text in force.

    Attributes:
        event: id of a test alert.
        passphrase: opens the store. A secret: it is in no repr and in no error.
        ask_release: make a request for the hub.
        release: the hub's answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: Literal[
        "status", "arm", "disarm", "report", "unlock", "sync", "test-alert", "unpark", "policy"
    ]
    reason: Text = ""
    event: str = Field("", pattern=r"^([0-7][0-9A-HJKMNP-TV-Z]{25})?$")
    authorisation: str = Field("", max_length=64, pattern=r"^[A-Za-z0-9_.:-]*$")
    passphrase: str = Field("", max_length=256, repr=False)
    ask_release: bool = False
    release: UnlockRelease | None = Field(None, repr=False)


class ControlReply(BaseModel):
    """The agent's answer.

    Attributes:
        ok: False when the request was refused; then `error` says why, and `code` is the exit
            code for the command that asked.
        data: the answer of `status`, `report`, `unlock`, `test-alert` and `policy`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ok: bool
    error: str = Field("", max_length=500)
    code: int = Field(0, ge=0, le=255)
    data: dict[str, Any] = Field(default_factory=dict)
