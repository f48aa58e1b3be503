"""What the delivery thread is told, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from agent.values import Monotonic, SendResult


@dataclass(frozen=True, slots=True)
class Woken:
    """There may be something new in the outbox."""

    entry_id: str | None
    at: Monotonic


@dataclass(frozen=True, slots=True)
class Link:
    """The transport came up or went down."""

    up: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """How a try to send ended, or the hub's word."""

    entry_id: str
    result: SendResult
    reason: str
    at: Monotonic


Event: TypeAlias = Woken | Link | Answer


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """Where delivery stands.

    Attributes:
        delivered: events confirmed since the start.
        refused: events refused for good since the start; parked in the outbox.
        pending: events in the outbox, parked ones included.
        connected: the transport is up.
        last_error: the latest trouble in one line; empty once connected again.
        parked: events in the outbox that were refused for good.
        given_up: events lost for want of room, time or an intact disk, not yet reported.
    """

    delivered: int = 0
    refused: int = 0
    pending: int = 0
    connected: bool = False
    last_error: str = ""
    parked: int = 0
    given_up: int = 0
