"""What waits to be sent, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from agent.values.times import Monotonic, Wall


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One event on disk, waiting for its confirmation.

    Attributes:
        id: ULID of the event.
        topic: the last level of its topic, such as `match`.
        payload: the bytes to send, the same at every try.
        priority: higher goes first.
        created_at: wall-clock seconds.
        attempts: times handed to the transport so far.
        parked: refused by the receiver for good; kept, not sent, reported.
    """

    id: str
    topic: str
    payload: bytes
    priority: int
    created_at: Wall
    attempts: int = 0
    parked: bool = False


class SendResult(str, Enum):
    """How a try to send ended."""

    CONFIRMED = "confirmed"
    RETRY = "retry"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Send:
    """Hand this entry to the transport now."""

    entry: OutboxEntry


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until` (monotonic seconds)."""

    until: Monotonic


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to do until something new happens."""


DeliveryStep: TypeAlias = Send | Wait | Idle
