"""What becomes of a message that reached the hub."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from agent.adapters.sealed_events import OpenEvent
from agent.hub.devices import Device
from agent.messages import StateMessage
from agent.messages.checkpoint import CheckpointEvent
from agent.messages.health import HealthMessage


class Why(str, Enum):
    """Why a message is refused."""

    TOPIC = "topic"
    UNKNOWN = "unknown-device"
    REMOVED = "removed-device"
    MALFORMED = "malformed"
    FORGED = "forged"
    OTHER_KEY = "other-key"
    UNREADABLE = "unreadable"
    CHANGED = "replayed-with-other-content"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as the broker delivered it.

    Attributes:
        topic: whole.
        payload: bytes.
        retained: the broker had kept it.
        ticket: by which the broker is told that it is done with; 0 where it need not be.
    """

    topic: str
    payload: bytes
    retained: bool = False
    ticket: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """An event that its camera signed, opened.

    Attributes:
        device: whose.
        event: in clear; `data.historical` as signed.
        payload: as it arrived.
        digest: sha256 of what the device signs alike whether the event is historical or not.
    """

    device: Device
    event: OpenEvent
    payload: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class CheckpointHeard:
    """A checkpoint of its audit log that a camera signed."""

    device: Device
    event: CheckpointEvent


@dataclass(frozen=True, slots=True)
class StateHeard:
    """What a camera says it does. It is not signed."""

    device: Device
    state: StateMessage


@dataclass(frozen=True, slots=True)
class HealthHeard:
    """How a camera says it is. It is not signed."""

    device: Device
    health: HealthMessage


@dataclass(frozen=True, slots=True)
class Refused:
    """Attributes:
    why: the kind.
    device: its name, of a camera that is or was in the register; else empty.
    detail: one line; names nobody.
    """

    why: Why
    device: str
    detail: str


Judgement = Opened | CheckpointHeard | StateHeard | HealthHeard | Refused
