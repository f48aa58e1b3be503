"""The retained state message: birth, changes and last will of one session."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.messages.match import OpaqueId
from agent.messages.times import IsoUtc


class StateMessage(BaseModel):
    """What the device is doing. Birth and will carry the same session number, so that the late
    death of an old session can be told from the death of the present one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: Literal["bodycam.state.v1"] = Field("bodycam.state.v1", alias="schema")
    session: int = Field(ge=0, le=2**53)
    online: bool
    state: Literal["off", "disarmed", "arming", "armed", "degraded", "locked"]
    reason: str = Field(max_length=200)
    version: str = Field(max_length=40)
    since: IsoUtc | None = None
    watchlist: OpaqueId | None = None
    test: bool = True
