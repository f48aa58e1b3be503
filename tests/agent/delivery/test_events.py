import json
from dataclasses import replace

import pytest
from pydantic import ValidationError

from agent.delivery import encode, match_event, open_payload, outbox_entry
from agent.messages import MatchEvent
from agent.values import EntryRef, Monotonic, Wall
from agent.values.place import Fix
from tests.support.alerts import CONTEXT, an_alert, ulid


def test_a_first_alert_as_it_goes_over_the_wire():
    payload = encode(match_event(an_alert(), CONTEXT))

    assert b": " not in payload.replace(b"action.", b"")
    assert json.loads(payload) == {
        "specversion": "1.0",
        "id": ulid(1),
        "source": "/spd/cam-7",
        "type": "bodycam.match.v1",
        "time": "2027-01-15T08:00:02.750Z",
        "subject": "s-9",
        "datacontenttype": "application/json",
        "data": {
            "entry": "e-17",
            "subject": "s-9",
            "similarity": 0.641235,
            "threshold": 0.5,
            "margin": 0.31,
            "shots": 5,
            "first_seen": "2027-01-15T08:00:00.250Z",
            "last_seen": "2027-01-15T08:00:02.500Z",
            "face": {"width_px": 87.2, "quality": 0.81},
            "location": None,
            "watchlist": {"id": "field", "version": 4},
            "models": {"detector": "a" * 64, "embedder": "b" * 64},
            "policy": "c" * 64,
            "authorisation": "auth-3",
            "activation": ulid(900_000),
            "armed_under": None,
            "historical": False,
            "test": True,
            "evidence": None,
            "notice": "Investigative lead, not an identification. "
            "A trained person must compare the images before any action.",
        },
    }


def test_a_follow_up_has_its_own_id_and_names_the_first():
    event = match_event(an_alert(2, match=ulid(1)), CONTEXT)
    tree = json.loads(encode(event))

    assert tree["type"] == "bodycam.match.update.v1"
    assert (tree["id"], tree["data"]["match"]) == (ulid(2), ulid(1))


def test_where_the_camera_was_only_with_its_accuracy_and_time():
    here = Fix(47.60621234, -122.33207, 4.26, Wall(1_800_000_001.5), Monotonic(9.0))
    located = match_event(an_alert(place=here), CONTEXT).data.location
    assert located is not None
    assert located.model_dump() == {
        "lat": 47.606212,
        "lon": -122.33207,
        "accuracy_m": 4.3,
        "fix_time": "2027-01-15T08:00:01.500Z",
    }
    for vague in (None, replace(here, accuracy_m=None), replace(here, time=None)):
        assert match_event(an_alert(place=vague), CONTEXT).data.location is None


def test_what_is_sent_is_what_the_schema_accepts():
    here = Fix(-90.0, 180.0, 0.0, Wall(1_800_000_001.5), Monotonic(9.0))
    for alert in (an_alert(), an_alert(2, match=ulid(1)), an_alert(3, place=here)):
        event = match_event(alert, CONTEXT)
        assert MatchEvent.model_validate_json(encode(event)) == event


def test_rounding_errors_of_float32_do_not_leave_the_bounds():
    event = match_event(an_alert(similarity=1.0000001, margin=2.0000002), CONTEXT)
    assert (event.data.similarity, event.data.margin) == (1.0, 2.0)


def test_a_name_in_place_of_an_opaque_id_is_refused():
    with pytest.raises(ValidationError, match="subject"):
        match_event(an_alert(ref=EntryRef("e-1", "John Smith", "auth-3")), CONTEXT)


def test_the_largest_event_that_the_schema_allows_is_far_below_the_limit():
    long = EntryRef("e" * 64, "s" * 64, "a" * 64)
    assert len(encode(match_event(an_alert(ref=long, match=ulid(2)), CONTEXT))) < 2_000


def test_an_event_over_100_kb_is_never_made():
    event = match_event(an_alert(), CONTEXT).model_copy(update={"source": "/" + "x" * 100_000})
    with pytest.raises(ValueError, match="at most 100000 may be sent"):
        encode(event)


def test_the_outbox_entry_of_an_alert():
    alert = an_alert(3)
    entry = outbox_entry(alert, CONTEXT)

    assert (entry.id, entry.topic, entry.priority) == (alert.id, "match", 2)
    assert entry.created_at == alert.raised_at
    assert entry.payload == encode(match_event(alert, CONTEXT))


def test_a_stored_event_goes_out_as_it_is_while_it_is_live():
    entry = outbox_entry(an_alert(), CONTEXT)
    assert open_payload(entry, False) == entry.payload


def test_a_historical_one_says_so_and_nothing_else_changes():
    entry = outbox_entry(an_alert(match=ulid(2)), CONTEXT)
    sent = json.loads(open_payload(entry, True))

    assert sent["data"].pop("historical") is True
    stored = json.loads(entry.payload)
    assert stored["data"].pop("historical") is False
    assert sent == stored
    MatchEvent.model_validate_json(open_payload(entry, True))


@pytest.mark.parametrize("payload", [b"\xff\x00", b'"text"', b'{"data":1}', b'{"data":{"a":1}}'])
def test_what_has_no_place_for_it_is_left_alone(payload):
    entry = replace(outbox_entry(an_alert(), CONTEXT), payload=payload)
    assert open_payload(entry, True) == payload
