from __future__ import annotations

import json

from agent.delivery import gap_entry
from agent.messages import GapEvent
from agent.values import Gap, Loss, Wall
from tests.support.alerts import CONTEXT, ulid

GAP = Gap(
    Wall(1_800_000_001.0),
    Wall(1_800_000_060.5),
    {Loss.OUTBOX_FULL: 40, Loss.DAMAGED: 2},
    exact=False,
)


def test_a_gap_as_it_goes_over_the_wire():
    entry = gap_entry(GAP, CONTEXT, event_id=ulid(7), test=True, now=Wall(1_800_000_100.0))

    assert (entry.id, entry.topic, entry.gap, entry.created_at) == (
        ulid(7),
        "match",
        True,
        1_800_000_100.0,
    )
    assert json.loads(entry.payload) == {
        "specversion": "1.0",
        "id": ulid(7),
        "source": "/spd/cam-7",
        "type": "bodycam.gap.v1",
        "time": "2027-01-15T08:01:40.000Z",
        "datacontenttype": "application/json",
        "data": {
            "first": "2027-01-15T08:00:01.000Z",
            "last": "2027-01-15T08:01:00.500Z",
            "events": 42,
            "by_reason": {"outbox_full": 40, "expired": 0, "disk_full": 0, "damaged": 2},
            "exact": False,
            "test": True,
        },
    }


def test_every_reason_has_its_place_in_the_event():
    for loss in Loss:
        gap = Gap(Wall(1.8e9), Wall(1.8e9), {loss: 3})
        entry = gap_entry(gap, CONTEXT, event_id=ulid(1), test=False, now=Wall(1.8e9))
        event = GapEvent.model_validate_json(entry.payload)
        assert getattr(event.data.by_reason, loss.value) == event.data.events == 3
