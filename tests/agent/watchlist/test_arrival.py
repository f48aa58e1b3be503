from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agent.errors import DataError, RefusedError
from agent.values import Wall
from agent.watchlist.arrival import ArrivalRules, check_arrival, check_time, check_use
from agent.watchlist.columns import Coded, StoredList, no_entries
from tests.support.lists import SPACE, a_meta, columns_of, some_columns, units
from tests.support.published import CREATED, ENDS, LIST, Publisher

RULES = ArrivalRules(
    bases=("consent", "warrant"), purposes=("test",), max_templates=5, max_list_age_s=3_600.0
)
NOW = Wall(CREATED + 60)


def arrives(columns=None, *, rules=RULES, now=NOW, high_water=NOW, space=SPACE, **manifest):
    columns = some_columns(3) if columns is None else columns
    publisher = Publisher(version=1)
    stored = StoredList(LIST, 1, SPACE, columns)
    said = publisher.manifest(columns, **manifest)
    check_arrival(stored, said, rules=rules, space=space, now=now, high_water=high_water)


def test_a_good_list_passes_and_so_does_an_empty_one():
    arrives()
    arrives(some_columns(5))
    arrives(no_entries(16))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"now": Wall(ENDS), "rules": replace(RULES, max_list_age_s=1e9)}, "ended 0 s ago"),
        ({"now": Wall(CREATED + 3_601)}, "made 3601 s ago, the policy allows 3600 s"),
        ({"now": Wall(CREATED - 301), "high_water": Wall(0)}, "made 301 s from now"),
        ({"high_water": Wall(NOW + 2.5)}, "the clock is wrong"),
        ({"now": Wall(float("nan"))}, "the clock is wrong"),
        ({"columns": some_columns(6)}, "6 templates, the policy allows 5"),
    ],
)
def test_time_and_size_are_the_policys(changes, said):
    with pytest.raises(RefusedError, match=said):
        arrives(**changes)


@pytest.mark.parametrize(
    ("now", "high_water"),
    [(CREATED - 299, 0), (CREATED, CREATED + 1.9), (CREATED + 3_600, CREATED + 3_600)],
)
def test_up_to_the_limits_it_is_used(now, high_water):
    arrives(now=Wall(now), high_water=Wall(high_water))


def test_a_clock_a_little_behind_does_not_lengthen_a_life():
    manifest = Publisher(version=1).manifest(some_columns())
    with pytest.raises(RefusedError, match="ended"):
        check_time(manifest, max_list_age_s=1e9, now=Wall(ENDS - 1.0), high_water=Wall(ENDS + 0.5))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"space": "other"}, "this device runs 'other'"),
        ({"version": 2}, "version 2"),
        ({"list": "L-9"}, "L-9"),
        ({"dim": 8}, "16 numbers, the manifest says 8"),
        ({"entries": 2}, "the manifest says 2 with 3"),
        ({"templates": 4}, "the manifest says 3 with 4"),
    ],
)
def test_list_and_manifest_must_agree(changes, said):
    with pytest.raises(DataError, match=said):
        arrives(**changes)


def test_of_a_list_some_of_which_has_ended_the_rest_is_used():
    publisher = Publisher(version=1)
    stored = StoredList(LIST, 1, SPACE, some_columns(2))
    manifest = publisher.manifest(some_columns(3))
    known = {"rules": RULES, "space": SPACE, "now": NOW, "high_water": NOW}
    check_use(stored, manifest, **known)
    with pytest.raises(DataError, match="the manifest says 3"):
        check_arrival(stored, manifest, **known)


def with_one(**changes):
    metas = [a_meta(1), a_meta(2, **changes), a_meta(3)]
    return columns_of(metas, [1, 1, 1], units(3))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (with_one(basis="curiosity"), "basis 'curiosity' is not allowed by the policy; use one of"),
        (with_one(purpose="stalking"), "purpose 'stalking' is not allowed"),
        (with_one(not_before=0, not_after=CREATED), "had ended before the list was made"),
        (with_one(not_after=CREATED + 200_000_001), "ends more than 2e\\+08 s after"),
    ],
)
def test_one_entry_against_the_policy_refuses_the_list_and_is_named(columns, said):
    with pytest.raises(RefusedError, match=f"^entry 'E-2': {said}"):
        arrives(columns, rules=replace(RULES, max_entry_s=2e8))


def spoilt(name, value):
    columns = some_columns(3)
    column = np.array(getattr(columns, name))
    column[1] = value
    return replace(columns, **{name: column})


@pytest.mark.parametrize(
    "columns",
    [
        spoilt("vectors", np.nan),
        spoilt("vectors", 0.0),
        spoilt("vectors", 1.0),
        spoilt("not_after", np.nan),
        spoilt("not_after", np.inf),
        spoilt("not_after", 0.0),
        spoilt("kind", 0),
        spoilt("priority", -1),
        replace(some_columns(3), authorisation=Coded(np.array([0, 1, 0], np.uint16), ("A", ""))),
        replace(some_columns(3), basis=Coded(np.array([0, 1, 0], np.uint16), ("consent",))),
    ],
)
def test_one_entry_without_what_it_needs_refuses_the_list_and_is_named(columns):
    with pytest.raises(DataError, match="entry 'E-2'"):
        arrives(columns)


def test_a_code_that_no_entry_uses_does_no_harm():
    columns = some_columns(3)
    arrives(replace(columns, basis=replace(columns.basis, values=("consent", "curiosity"))))
