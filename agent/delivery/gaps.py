"""From events that were given up to the one event that says so."""

from __future__ import annotations

from agent.delivery.events import MATCH_TOPIC, EventContext, compact
from agent.messages import GapData, GapEvent, GapReasons, iso_utc
from agent.values import Gap, OutboxEntry, Wall

GAP_PRIORITY = 0
"""It is new, so it passes the backlog; alerts as new as itself go first."""


def gap_event(gap: Gap, context: EventContext, *, event_id: str, test: bool, now: Wall) -> GapEvent:
    """The CloudEvent of a gap.

    Args:
        gap: what was given up.
        context: as of every event of the run.
        event_id: a ULID.
        test: under a field-test policy.
        now: wall-clock seconds.
    """
    return GapEvent(
        id=event_id,
        source=context.source,
        time=iso_utc(now),
        data=GapData(
            first=iso_utc(gap.first),
            last=iso_utc(gap.last),
            events=gap.events,
            by_reason=GapReasons(**{loss.value: count for loss, count in gap.by_reason.items()}),
            exact=gap.exact,
            test=test,
        ),
    )


def gap_entry(
    gap: Gap, context: EventContext, *, event_id: str, test: bool, now: Wall
) -> OutboxEntry:
    """The entry to commit for a gap; see `gap_event`."""
    event = gap_event(gap, context, event_id=event_id, test=test, now=now)
    return OutboxEntry(
        id=event_id,
        topic=MATCH_TOPIC,
        payload=compact(event.model_dump(mode="json")),
        priority=GAP_PRIORITY,
        created_at=now,
        gap=True,
    )
