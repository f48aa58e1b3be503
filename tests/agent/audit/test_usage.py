from __future__ import annotations

import pytest

from agent.audit.usage import ListUse, Period, PolicyUse, day_of, usage_of
from agent.messages import iso_utc

NOON = 1_800_014_400.0 - 1_800_014_400.0 % 86_400 + 43_200.0
HOUR = 3600.0
DAY = 24 * HOUR
MIDNIGHT = NOON - 12 * HOUR
TODAY = Period(MIDNIGHT, MIDNIGHT + DAY)


def log(*records):
    """(hours after noon, kind, fields) each."""
    return [
        {"time": iso_utc(NOON + hours * HOUR), "kind": kind, "fields": fields}
        for hours, kind, fields in records
    ]


def hours(usage):
    return [round(day.armed_s / HOUR, 3) for _, day in sorted(usage.days.items())]


def test_a_use_from_arming_to_disarming():
    usage = usage_of(log((0, "arm", {}), (1.5, "disarm", {"subjects": 40})), TODAY)
    assert (hours(usage), usage.uses, usage.cut_short) == ([1.5], 1, 0)
    assert (usage.subjects, usage.uncounted) == (40, 0)


def test_a_device_that_was_killed_counts_to_its_last_sign_of_life():
    records = log(
        (0, "arm", {}), (0.25, "checkpoint", {}), (0.5, "checkpoint", {}), (9, "start", {}),
        (9.5, "stop", {}),
    )  # fmt: skip
    usage = usage_of(records, TODAY)
    assert (hours(usage), usage.cut_short, usage.uncounted) == ([0.5], 1, 1)


def test_a_log_that_ends_while_armed():
    usage = usage_of(log((0, "arm", {}), (2, "alert", {})), TODAY)
    assert (hours(usage), usage.cut_short) == ([2.0], 1)


def test_armed_anew_ends_the_use_before():
    records = log((0, "arm", {}), (1, "disarm", {}), (1, "arm", {}), (3, "disarm", {}))
    usage = usage_of(records, TODAY)
    assert (hours(usage), usage.uses) == ([3.0], 2)


def test_hours_go_to_their_days_and_only_those_of_the_period_count():
    records = log((-36, "arm", {}), (30, "disarm", {"subjects": 10}))
    usage = usage_of(records, Period(MIDNIGHT, MIDNIGHT + 2 * DAY))
    assert hours(usage) == [24.0, 18.0]
    assert hours(usage_of(records, TODAY)) == [24.0]
    outside = usage_of(records, Period(MIDNIGHT + 9 * DAY, MIDNIGHT + 10 * DAY))
    assert (outside.days, outside.subjects, outside.cut_short) == ({}, 0, 0)


def test_a_clock_set_back_makes_no_negative_hours():
    usage = usage_of(log((5, "arm", {}), (1, "disarm", {})), TODAY)
    assert usage.armed_s == 0


def test_what_held_before_the_period_counts_in_it():
    old = {"detector": "a" * 64, "embedder": "b" * 64}
    records = log(
        (-48, "start", {"version": "0.1.0"}), (-48, "models", old),
        (-48, "list", {"list": "L-1", "version": 3, "templates": 9, "subjects": 7}),
        (-47, "arm", {"list": "L-1", "version": 3, "policy": "c" * 64}), (0, "alert", {}),
        (1, "disarm", {}),
    )  # fmt: skip
    usage = usage_of(records, TODAY)
    assert usage.versions == {"0.1.0"}
    assert usage.networks == {"detector": {"a" * 64}, "embedder": {"b" * 64}}
    assert usage.policies == {"c" * 64: PolicyUse("2027-01-15", "2027-01-15")}
    assert list(usage.lists.values()) == [ListUse("L-1", 3, 9, 7, "")]
    assert hours(usage) == [13.0]


def test_policies_with_the_days_on_which_they_were_in_force():
    records = log(
        (-48, "policy", {"policy": "a" * 64}), (13, "policy", {"policy": "b" * 64}),
        (14, "arm", {"policy": "b" * 64}), (15, "disarm", {}), (40, "stop", {}),
    )  # fmt: skip
    usage = usage_of(records, Period(MIDNIGHT, MIDNIGHT + 9 * DAY))
    first, second, third = (day_of(MIDNIGHT + n * DAY) for n in range(3))
    assert usage.policies == {
        "a" * 64: PolicyUse(first, second),
        "b" * 64: PolicyUse(second, third, 1),
    }
    usage.add(usage_of(records, TODAY))
    assert usage.policies["b" * 64] == PolicyUse(second, third, 1)
    other = usage_of(log((0, "arm", {"policy": "b" * 64})), TODAY)
    usage.add(other)
    assert usage.policies["b" * 64] == PolicyUse(first, third, 2)


def test_lists_that_were_armed_with_or_swapped_in_have_size_and_hash():
    size = {"templates": 5, "subjects": 4}
    records = log(
        (0, "sync", {"list": "L-1", "version": 1, "sha256": "d" * 64, "entries": 5}),
        (0, "list", {"list": "L-1", "version": 1, **size}),
        (1, "arm", {"list": "L-1", "version": 1}),
        (2, "sync", {"list": "L-1", "version": 2, "sha256": "e" * 64, "templates": 1}),
        (2, "list", {"list": "L-1", "version": 2, **size}),
        (3, "disarm", {}),
        (4, "list", {"list": "L-1", "version": 3, **size}),
    )  # fmt: skip
    lists = usage_of(records, TODAY).lists
    assert list(lists.values()) == [
        ListUse("L-1", 1, 5, 4, "d" * 64),
        ListUse("L-1", 2, 5, 4, "e" * 64),
    ]


def test_counts():
    records = log(
        (0, "alert", {}), (0, "alert", {}), (0, "alert", {"match": "E"}),
        (1, "refusal", {"what": "arm"}),
        (1, "refusal", {"what": "arm"}), (1, "refusal", {"what": "list"}), (1, "refusal", {}),
        (2, "gap", {"events": 3}), (2, "test-alert", {}),
        (3, "identify", {"images": 2, "faces": 5, "matches": 1}),
    )  # fmt: skip
    usage = usage_of(records, TODAY)
    (day,) = usage.days.values()
    assert (day.alerts, day.updates, day.refusals) == (2, 1, 4)
    assert usage.refusals == {"arm": 2, "list": 1, "other": 1}
    assert (usage.lost, usage.records["test-alert"]) == (3, 1)
    assert usage.searches == {"uses": 1, "images": 2, "faces": 5, "matches": 1}


@pytest.mark.parametrize("field", ["reason", "activation", "authorisation", "uid", "event"])
def test_nothing_of_a_record_that_stands_for_a_person_gets_through(field):
    records = log((0, "arm", {field: "PLANTED"}), (1, "refusal", {"what": "arm", field: "PLANTED"}))
    assert "PLANTED" not in repr(usage_of(records, TODAY))
