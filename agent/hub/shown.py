"""Events in words, for lines and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.adapters.sealed_events import OpenEvent
from agent.hub.event_store import StoredEvent
from agent.messages import TEST_TYPE, UPDATE_TYPE, GapEvent


@dataclass(frozen=True, slots=True)
class Shown:
    """One new event.

    Attributes:
        device: name of the camera.
        event: opened.
        beside: events of the same subject from other cameras, about that time.
    """

    device: str
    event: OpenEvent
    beside: Sequence[StoredEvent] = ()


def kind_of(event: OpenEvent) -> str:
    if isinstance(event, GapEvent):
        return "gap"
    if event.type == TEST_TYPE:
        return "test alert"
    return "update" if event.type == UPDATE_TYPE else "match"


def what_of(event: OpenEvent) -> str:
    """Whom it is about, or what is missing."""
    if isinstance(event, GapEvent):
        least = "" if event.data.exact else "at least "
        return f"{least}{event.data.events} events lost, {event.data.first} to {event.data.last}"
    if event.type == TEST_TYPE:
        return "nobody: a test of the way"
    return f"{event.subject} ({event.data.entry})"


def score_of(event: OpenEvent) -> str:
    if isinstance(event, GapEvent) or event.type == TEST_TYPE:
        return ""
    return f"{event.data.similarity:.3f} of {event.data.threshold:.3f}"


def place_of(event: OpenEvent) -> str:
    if isinstance(event, GapEvent) or event.data.location is None:
        return ""
    where = event.data.location
    return f"{where.lat:.5f}, {where.lon:.5f} (±{where.accuracy_m:.0f} m)"


def marks_of(event: OpenEvent) -> str:
    """`test`, `historical`, `evidence`, as they apply."""
    marks = ["test"] if event.data.test else []
    if not isinstance(event, GapEvent):
        marks += ["historical"] if event.data.historical else []
        marks += ["evidence"] if event.data.evidence else []
    return " ".join(marks)


def beside_of(shown: Shown) -> str:
    """The same subject elsewhere."""
    if not shown.beside or shown.event.type == TEST_TYPE:
        return ""
    return "also at " + ", ".join(sorted({one.device for one in shown.beside}))


def line_of(shown: Shown) -> str:
    """One line; fields that are empty are left out."""
    event = shown.event
    fields = (
        event.time,
        shown.device,
        kind_of(event),
        what_of(event),
        score_of(event),
        place_of(event),
        marks_of(event),
        beside_of(shown),
        event.id,
    )
    return "  ".join(field for field in fields if field)


def clean(text: str) -> str:
    """What came from outside, without what a terminal would obey."""
    return "".join(char if char.isprintable() else "?" for char in text)
