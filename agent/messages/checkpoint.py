"""A checkpoint of the audit log: the device signs where its log stands, and the hub keeps that.

An event like any other, but open: it says nothing of anybody, and its signature is the proof that
a third party needs. The log itself has every checkpoint too (`agent.audit.checkpoint`).
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.messages.match import Ulid
from agent.messages.signed import SignatureText, Signer
from agent.messages.times import IsoUtc

CHECKPOINT_TYPE: Final = "bodycam.checkpoint.v1"
_HEX: Final = r"^[0-9a-f]{64}$"


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CheckpointData(_Wire):
    """Where the log stands.

    Attributes:
        first: number of the first record since the checkpoint before; 0 in a new log. The
            stretches `first` to `last` of one log never overlap: where they do, the device has
            written two logs, as after a disk was restored.
        last: number of the last record.
        hash: of that record; through the chain, of all before it.
        key: the device's Ed25519 public key, hexadecimal.
    """

    first: int = Field(ge=0, le=2**53)
    last: int = Field(ge=0, le=2**53)
    hash: str = Field(pattern=_HEX)
    key: str = Field(pattern=_HEX)

    @model_validator(mode="after")
    def _in_order(self) -> CheckpointData:
        if self.first > self.last:
            raise ValueError("first is behind last")
        return self


class CheckpointEvent(_Wire):
    """On the wire, and rebuilt from the log. `signature` covers all the rest, see
    `agent.messages.signed`; `signer` is the name of `data.key`.
    """

    specversion: Literal["1.0"] = "1.0"
    id: Ulid
    source: str = Field(pattern=r"^/[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", max_length=140)
    type: Literal["bodycam.checkpoint.v1"] = CHECKPOINT_TYPE
    time: IsoUtc
    datacontenttype: Literal["application/json"] = "application/json"
    data: CheckpointData
    signer: Signer
    signature: SignatureText


class AnchorsFile(_Wire):
    """What `bodycam-hub anchors CAMERA --out FILE` writes: the checkpoints the hub has of a log.

    Attributes:
        key: Ed25519 public key of the camera in the hub's register, hexadecimal.
        anchors: by `last`. More than one for the same records: the camera has two logs.
    """

    format: Literal["bodycam.anchors.v1"] = "bodycam.anchors.v1"
    agency: str = Field(max_length=64)
    device: str = Field(max_length=64)
    key: str = Field(pattern=_HEX)
    anchors: tuple[CheckpointEvent, ...] = Field(max_length=1_000_000)
