from __future__ import annotations

import pytest

from agent.errors import DataError
from agent.watchlist.entries import entry_meta, wall_time
from tests.support.lists import END, a_meta

GOOD = a_meta().model_dump()


@pytest.mark.parametrize("field", ["basis", "purpose", "authorisation", "not_after"])
@pytest.mark.parametrize("gone", [True, False])
def test_no_entry_without_its_grounds(field, gone):
    fields = {name: value for name, value in GOOD.items() if name != field}
    if not gone:
        fields[field] = ""
    with pytest.raises(DataError, match=rf"^entry 'E-1': {field}: "):
        entry_meta(fields)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"subject": "Erika Mustermann"}, "subject: use letters"),
        ({"entry": "é"}, "entry: use letters"),
        ({"subject": "s" * 65}, "subject: "),
        ({"not_after": GOOD["not_before"]}, "not_after must be later"),
        ({"not_after": float("nan")}, "not_after: a time between"),
        ({"not_after": float("inf")}, "not_after: a time between"),
        ({"not_after": "3001-01-01"}, "not_after: a time between"),
        ({"not_after": "tomorrow"}, "'tomorrow' is not a time"),
        ({"not_after": "20261231"}, "'20261231' is not a time"),
        ({"not_after": "2026-02-30"}, "'2026-02-30' is not a time"),
        ({"not_after": "9999-12-31"}, "'9999-12-31' is not a time"),
        ({"not_before": "0001-01-01T00:00:00+14:00"}, "not_before: "),
        ({"priority": -1}, "priority: "),
        ({"subject": "TEST"}, "subject: TEST is kept for test alerts"),
        ({"entry": "TEST"}, "entry: TEST is kept for test alerts"),
        ({"name": "Erika"}, "name: no such field"),
    ],
)
def test_a_bad_field_is_named(changes, says):
    with pytest.raises(DataError, match=says) as caught:
        entry_meta({**GOOD, **changes})
    assert "\n" not in str(caught.value)


def test_all_problems_are_told_at_once():
    with pytest.raises(
        DataError, match=r"basis: missing; .*purpose: missing; .*not_after: missing"
    ):
        entry_meta({"entry": "x", "subject": "y", "authorisation": "z"})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-12-31", 1_798_675_200 + 86_400),
        ("2026-12-31T18:00:00Z", 1_798_675_200 + 64_800),
        ("2026-12-31T18:00:00+02:00", 1_798_675_200 + 57_600),
        (END, END),
    ],
)
def test_an_end_given_as_a_date_includes_that_day(text, seconds):
    assert wall_time(text, end_of_day=True) == seconds
    assert entry_meta({**GOOD, "not_after": text}).not_after == seconds


@pytest.mark.parametrize("text", ["2026-12-31T18:00:00", "2026-12-31 18:00", "31.12.2026"])
def test_a_time_of_day_says_its_zone(text):
    with pytest.raises(DataError, match=r"not a time with its zone; write 2026-12-31 or .*Z"):
        a_meta(not_after=text)


def test_a_begin_given_as_a_date_is_its_first_moment():
    assert wall_time("2026-12-31") == 1_798_675_200
    assert a_meta(not_before="2026-12-31").not_before == 1_798_675_200
