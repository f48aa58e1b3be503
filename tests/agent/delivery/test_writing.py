"""How events are written, and what is never sent."""

from __future__ import annotations

import numpy as np
import pytest

from agent.adapters.device_keys import DeviceKeys
from agent.adapters.sealing_writer import SealedEvents
from agent.delivery import NoEvents, OpenEvents, remembered
from agent.errors import RefusedError
from agent.values import Gap, Loss, Monotonic, Wall
from tests.support.alerts import CONTEXT, an_alert, ulid

KEYS = DeviceKeys(bytes(32), bytes(range(64)))
SEALED = SealedEvents(CONTEXT, DeviceKeys.new().seal_key, lambda: KEYS)
OPEN = OpenEvents(CONTEXT)
GAP = Gap(Wall(1.0), Wall(2.0), {Loss.EXPIRED: 3})


def test_in_clear_there_is_never_a_picture():
    alert = an_alert(evidence=np.full(1000, 7, np.uint8))
    assert OPEN.match(alert).payload == OPEN.match(an_alert()).payload
    assert len(SEALED.match(alert).payload) > len(SEALED.match(an_alert()).payload) + 1000


def test_what_was_sealed_is_not_sent_by_a_device_that_lost_its_keys():
    for entry in (
        SEALED.match(an_alert()),
        SEALED.gap(GAP, event_id=ulid(1), test=True, now=Wall(3.0)),
    ):
        assert b'"signature"' in SEALED.finish(entry, False)
        with pytest.raises(RefusedError, match="keys are gone"):
            OPEN.finish(entry, False)


def test_a_device_whose_keys_cannot_be_read_writes_and_sends_nothing():
    silent = NoEvents("no keys")
    asked = (
        lambda: silent.match(an_alert()),
        lambda: silent.gap(GAP, event_id=ulid(1), test=True, now=Wall(3.0)),
        lambda: silent.finish(OPEN.match(an_alert()), False),
        lambda: silent.mark("A", "S-1"),
    )
    for ask in asked:
        with pytest.raises(RefusedError, match="no keys"):
            ask()
    assert silent.subject("A", "x") is None


@pytest.mark.parametrize("writer", [OPEN, SEALED], ids=["open", "sealed"])
def test_marks_are_read_by_who_wrote_them(writer):
    marks = {
        writer.mark("A", "S-1"): ("one", Monotonic(5.0)),
        writer.mark("A", "S-2"): ("two", Monotonic(6.0)),
    }
    found = remembered(
        writer, lambda begin: {key.removeprefix(begin): mark for key, mark in marks.items()}, "A"
    )
    assert found == {"S-1": ("one", Monotonic(5.0)), "S-2": ("two", Monotonic(6.0))}


def test_of_several_marks_the_latest_counts_and_damaged_ones_do_not():
    marks = {
        SEALED.mark("A", "S-1"): ("old", Monotonic(5.0)),
        SEALED.mark("A", "S-1"): ("new", Monotonic(9.0)),
        SEALED.mark("B", "S-2"): ("elsewhere", Monotonic(9.0)),
        "A/xyz": ("damaged", Monotonic(9.0)),
        "A/ü": ("damaged", Monotonic(9.0)),
    }
    rest = {key.partition("/")[2]: mark for key, mark in marks.items()}
    assert remembered(SEALED, lambda _: rest, "A") == {"S-1": ("new", Monotonic(9.0))}


def test_entries_of_an_authorisation_are_found_by_who_has_the_key_alone():
    entry = SEALED.match(an_alert(armed_under="armed-1"))
    assert of(SEALED, entry, "auth-3")
    assert of(SEALED, entry, "armed-1")
    assert not of(SEALED, entry, "auth-4")
    assert not of(SEALED, SEALED.match(an_alert()), "armed-1")
    other = SealedEvents(CONTEXT, SEALED.alert_key, lambda: DeviceKeys(bytes([1]) * 32, bytes(64)))
    assert not of(other, entry, "auth-3")
    assert not of(other, entry, "armed-1")


def of(writer, entry, authorisation):
    parts = writer.of_authorisation(authorisation)
    return any(entry.payload[at : at + len(part)] == part for part, at in parts)
