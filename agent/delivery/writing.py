"""How events of this device are written: in clear, as a field test does, or sealed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from agent.delivery.events import EventContext, open_payload, outbox_entry
from agent.delivery.gaps import gap_entry
from agent.delivery.sealing import is_sealed
from agent.errors import RefusedError
from agent.ports.outbox import TOLD
from agent.values import Alert, Gap, Monotonic, OutboxEntry, Wall

Marks = Mapping[str, tuple[str, Monotonic]]
"""By whom: the id of the first alert, and when its cool-down ends, monotonic seconds."""


class EventWriter(Protocol):
    """What the outbox is given, and what is sent of it."""

    def match(self, alert: Alert) -> OutboxEntry:
        """The entry to commit for an alert.

        Raises:
            RefusedError: the keys are locked.
        """

    def gap(self, gap: Gap, *, event_id: str, test: bool, now: Wall) -> OutboxEntry:
        """The entry to commit for events that were given up; as `match`."""

    def finish(self, entry: OutboxEntry, historical: bool) -> bytes:
        """What goes out for an entry; no key is needed.

        Raises:
            ValueError: it must not be sent.
        """

    def of_authorisation(self, authorisation: str) -> tuple[tuple[bytes, int], ...]:
        """How stored events of an authorisation are found: each such event has one of these parts
        at this place of its payload, bytes from the beginning, and no other event has.

        Raises:
            RefusedError: the keys are locked.
        """

    def told(self, subject: str) -> str:
        """The prefix under which the outbox counts events about a subject; as `match`."""

    def mark(self, activation: str, subject: str) -> str:
        """The key of a cool-down mark in the outbox; begins with `activation` and a slash."""

    def subject(self, activation: str, rest: str) -> str | None:
        """Whose mark it is, by what follows the slash; None when that cannot be told."""


@dataclass(frozen=True, slots=True)
class OpenEvents:
    """In clear: a field test, where the broker is the tester's own. Never with a picture.

    Attributes:
        context: what every event of the run has in common.
    """

    context: EventContext

    def match(self, alert: Alert) -> OutboxEntry:
        return outbox_entry(alert, self.context)

    def gap(self, gap: Gap, *, event_id: str, test: bool, now: Wall) -> OutboxEntry:
        return gap_entry(gap, self.context, event_id=event_id, test=test, now=now)

    def finish(self, entry: OutboxEntry, historical: bool) -> bytes:
        """As stored.

        Raises:
            RefusedError: it was sealed for an agency; it waits until the device has its keys again.
        """
        if is_sealed(entry):
            raise RefusedError("it was sealed for an agency whose keys are gone from this device")
        return open_payload(entry, historical)

    def of_authorisation(self, authorisation: str) -> tuple[tuple[bytes, int], ...]:
        """None: what can be revoked belongs to an agency, whose events are sealed."""
        del authorisation
        return ()

    def told(self, subject: str) -> str:
        return f"{TOLD}{subject}/"

    def mark(self, activation: str, subject: str) -> str:
        return f"{activation}/{subject}"

    def subject(self, activation: str, rest: str) -> str | None:
        del activation
        return rest


@dataclass(frozen=True, slots=True)
class NoEvents:
    """A device that has an agency, but cannot read its keys: nothing is written, nothing sent.

    Attributes:
        why: for whoever asks.
    """

    why: str

    def match(self, alert: Alert) -> OutboxEntry:
        del alert
        raise RefusedError(self.why)

    def gap(self, gap: Gap, *, event_id: str, test: bool, now: Wall) -> OutboxEntry:
        del gap, event_id, test, now
        raise RefusedError(self.why)

    def finish(self, entry: OutboxEntry, historical: bool) -> bytes:
        del entry, historical
        raise RefusedError(self.why)

    def of_authorisation(self, authorisation: str) -> tuple[tuple[bytes, int], ...]:
        del authorisation
        raise RefusedError(self.why)

    def told(self, subject: str) -> str:
        del subject
        raise RefusedError(self.why)

    def mark(self, activation: str, subject: str) -> str:
        del activation, subject
        raise RefusedError(self.why)

    def subject(self, activation: str, rest: str) -> str | None:
        del activation, rest
        return None


def remembered(writer: EventWriter, cooldowns: Callable[[str], Marks], activation: str) -> Marks:
    """The cool-down marks of an activation, by subject; the latest where there are several.

    Args:
        writer: wrote them.
        cooldowns: every mark whose key begins so, by the rest of the key.
        activation: id.
    """
    found: dict[str, tuple[str, Monotonic]] = {}
    for rest, mark in cooldowns(f"{activation}/").items():
        subject = writer.subject(activation, rest)
        if subject is not None and (subject not in found or found[subject][1] < mark[1]):
            found[subject] = mark
    return found
