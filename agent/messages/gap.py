"""The gap event: alerts were raised that will never arrive. Counts and times, nothing else."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.messages.match import Ulid
from agent.messages.times import IsoUtc

GAP_TYPE = "bodycam.gap.v1"

Count = Annotated[int, Field(ge=0, le=2**53)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GapReasons(_Wire):
    """How many events were given up, by reason."""

    outbox_full: Count = Field(0, description="More waited than the outbox may hold.")
    expired: Count = Field(0, description="Not delivered within `delivery.expire_s`.")
    disk_full: Count = Field(0, description="The disk was full, its reserve used up.")
    damaged: Count = Field(0, description="The outbox was damaged; these could not be read.")


class GapData(_Wire):
    """Which events are missing: how many, from when to when, and why."""

    first: IsoUtc
    last: IsoUtc
    events: int = Field(ge=1, le=2**53, description="The sum of `by_reason`.")
    by_reason: GapReasons
    exact: bool = Field(description="False: at least so many, from about then.")
    test: bool


class GapEvent(_Wire):
    """A CloudEvent of type `bodycam.gap.v1`."""

    specversion: Literal["1.0"] = "1.0"
    id: Ulid
    source: str = Field(pattern=r"^/[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", max_length=140)
    type: Literal["bodycam.gap.v1"] = "bodycam.gap.v1"
    time: IsoUtc
    datacontenttype: Literal["application/json"] = "application/json"
    data: GapData
