"""What waits to be sent, what was given up, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from agent.values.times import Monotonic, Wall

HOUSEKEEPING: Final = -1
"""Priority of what tells of the device alone: no alert, so nothing counts it as one."""


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One event on disk, waiting for its confirmation.

    Attributes:
        id: ULID of the event.
        topic: the last level of its topic, such as `match`.
        payload: the event as it was raised; what goes out is made of it at every try.
        priority: higher goes first; below 0: `HOUSEKEEPING`.
        created_at: wall-clock seconds.
        attempts: times handed to the transport so far.
        parked: refused by the receiver for good; kept, not sent, reported.
        at: monotonic second of this boot at which it was put; None for one of an earlier boot,
            whose age nobody can prove. Given as None, the outbox sets it.
        gap: it reports events that were given up; never given up itself.
    """

    id: str
    topic: str
    payload: bytes
    priority: int
    created_at: Wall
    attempts: int = 0
    parked: bool = False
    at: Monotonic | None = None
    gap: bool = False


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """What lies in the outbox.

    Attributes:
        events: all of them, the parked ones included.
        parked: refused for good.
        size: of their payloads, bytes.
        given_up: lost for want of room, time or an intact disk, and not yet reported.
    """

    events: int = 0
    parked: int = 0
    size: int = 0
    given_up: int = 0


class Loss(str, Enum):
    """Why an event was given up."""

    OUTBOX_FULL = "outbox_full"
    EXPIRED = "expired"
    DISK_FULL = "disk_full"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Gap:
    """Events that will never arrive.

    Attributes:
        first, last: wall-clock seconds at which the first and the last of them were raised; of
            the discovery where that is not known.
        by_reason: how many, by reason; never empty.
        exact: False when there may have been more.
    """

    first: Wall
    last: Wall
    by_reason: Mapping[Loss, int]
    exact: bool = True

    @property
    def events(self) -> int:
        return sum(self.by_reason.values())


class SendResult(str, Enum):
    """How a try to send ended."""

    ACCEPTED = "accepted"
    """The broker has it. The receiver may not."""
    CONFIRMED = "confirmed"
    """The receiver has it."""
    RETRY = "retry"
    """Not now: the broker's trouble, not the event's."""
    REFUSED = "refused"
    """This event will never be taken."""
    GONE = "gone"
    """It did not leave the device; the transport broke off."""


@dataclass(frozen=True, slots=True)
class Send:
    """Hand this entry to the transport now.

    Attributes:
        entry: the event.
        historical: it is too old to be acted on as if it happened now.
    """

    entry: OutboxEntry
    historical: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until` (monotonic seconds)."""

    until: Monotonic


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to do until something new happens."""


DeliveryStep: TypeAlias = Send | Wait | Idle
