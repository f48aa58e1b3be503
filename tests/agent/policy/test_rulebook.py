"""Every rule, and at least one way to get round it that fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from agent.errors import RefusedError
from agent.policy import Breach, Circumstances, Permit, Rulebook
from agent.policy.grants import Grant
from agent.policy.rulebook import breach, permit, renewed
from agent.policy.states import Cause
from agent.policy.trusted_time import TimeSigns
from agent.values import Monotonic, Wall
from agent.values.place import Fix
from tests.support.policies import AROUND_ZERO, DAY, ELSEWHERE, HOUR, NOW, a_grant, a_policy

HERE = Circumstances(
    Wall(NOW), Monotonic(500.0), TimeSigns(kernel=True),
    Fix(0.0, 0.0, 5.0, None, Monotonic(499.0)), "local-1",
)  # fmt: skip


LATER = [{"days": ["fri"], "from": "08:01", "to": "24:00"}]


def book(policy: dict[str, Any] | None = None, *grants: Grant, **changes: Any) -> Rulebook:
    loaded = grants or (a_grant(),)
    rules = Rulebook(a_policy(**(policy or {})), "CAM-7", {one.id: one for one in loaded})
    return replace(rules, **changes)


def later(seconds: float, **changes: Any) -> Circumstances:
    fix = replace(HERE.fix, at=Monotonic(HERE.now + seconds)) if HERE.fix else None
    moved = replace(HERE, wall=Wall(NOW + seconds), now=Monotonic(500.0 + seconds), fix=fix)
    return replace(moved, **changes)


def found(rules: Rulebook, given: Permit, here: Circumstances) -> Cause | None:
    one = breach(rules, given, here)
    return one.cause if one else None


def test_a_valid_authorisation_permits() -> None:
    rules = book()
    given = permit(rules, "W-1", HERE)
    assert found(rules, given, HERE) is None
    assert found(rules, given, later(7 * HOUR)) is None


@pytest.mark.parametrize(
    ("rules", "authorisation", "says"),
    [
        (book(), "W-2", "not loaded"),
        (book(), "field-test", "not loaded"),
        (book(revoked=frozenset({"W-1"})), "W-1", "revoked"),
        (book(trouble="the rules cannot be read"), "W-1", "cannot be read"),
        (book(None, a_grant(type="exigency")), "W-1", "exigency is not allowed"),
        (book(None, a_grant(devices=["CAM-8"])), "W-1", "not for this device"),
        (book(None, a_grant(lists=["L-2"])), "W-1", "not for the list"),
        (book({"authorisations": {"max_hours": 8.9}}), "W-1", "longer than"),
        (book(None, a_grant(not_before="2027-01-15T08:00:01.000Z")), "W-1", "has not begun"),
        (book(None, a_grant(not_after="2027-01-15T08:00:00.000Z")), "W-1", "is over"),
        (book(None, a_grant(urgent=True, now=NOW - 23 * HOUR)), "W-1", "is over"),
        (book(None, a_grant(issued="2027-01-15T08:10:00.000Z")), "W-1", "in the future"),
        (book({"now": NOW + HOUR}), "W-1", "not in force"),
        (book({"now": NOW - 30 * DAY}), "W-1", "not in force"),
        (book({"bounds": {"areas": [ELSEWHERE]}}), "W-1", "outside market"),
        (book(None, a_grant(areas=[ELSEWHERE])), "W-1", "outside market"),
        (book({"bounds": {"schedule": LATER}}), "W-1", "schedule"),
        (book({"bounds": {"time_sources": ["rtc"]}}), "W-1", "time is not trusted"),
    ],
)  # fmt: skip
def test_there_is_no_arming(rules: Rulebook, authorisation: str, says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        permit(rules, authorisation, HERE)


ENDS: dict[str, tuple[Rulebook, Circumstances, Cause]] = {
    "revoked": (book(revoked=frozenset({"W-1"})), HERE, Cause.REVOKED),
    "rules unreadable": (book(trouble="no"), HERE, Cause.RULES),
    "monitor": (book(), replace(HERE, fpir="too many false alerts"), Cause.FPIR),
    "its end": (book(), later(8 * HOUR), Cause.AUTHORISATION_OVER),
    "its end, with the wall clock held back a little every hour": (
        book(), later(8 * HOUR, wall=Wall(NOW + 8 * HOUR - 1.9)), Cause.AUTHORISATION_OVER,
    ),
    "clock set back": (book(), later(60, wall=Wall(NOW)), Cause.TIME),
    "clock set forward": (book(), later(60, wall=Wall(NOW + DAY)), Cause.TIME),
    "no time server any more": (book(), replace(HERE, signs=TimeSigns()), Cause.TIME),
    "policy over": (
        book({"days": 0.1}), later(0.1 * DAY), Cause.POLICY_OVER,
    ),
    "end of the window": (
        book({"bounds": {"schedule": [{"days": ["fri"], "from": "08:00", "to": "09:00"}]}}),
        later(HOUR), Cause.SCHEDULE,
    ),
    "left the policy's area": (
        book({"bounds": {"areas": [AROUND_ZERO]}}),
        replace(HERE, fix=Fix(1.0, 0.0, 5.0, None, HERE.now)), Cause.AREA,
    ),
    "left the authorisation's area": (
        book(None, a_grant(areas=[AROUND_ZERO])),
        replace(HERE, fix=Fix(1.0, 0.0, 5.0, None, HERE.now)), Cause.AREA,
    ),
    "aerial covered": (
        book({"bounds": {"areas": [AROUND_ZERO]}}), later(60, fix=HERE.fix), Cause.AREA,
    ),
    "receiver unplugged": (
        book({"bounds": {"areas": [AROUND_ZERO]}}), replace(HERE, fix=None), Cause.AREA,
    ),
    "another list": (book(), replace(HERE, list_id="L-2"), Cause.LIST),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_matching_ends(name: str) -> None:
    rules, here, cause = ENDS[name]
    calm = replace(rules, revoked=frozenset(), trouble="")
    given = permit(calm, "W-1", HERE)
    assert found(rules, given, here) is cause
    assert found(calm, given, HERE) is None


def test_an_urgent_one_ends_after_a_day_unless_confirmed() -> None:
    tomorrow = "2027-01-16T20:00:00.000Z"
    lax = {"authorisations": {"types": ["exigency"], "max_hours": 200}}
    urgent = a_grant(type="exigency", urgent=True, not_after=tomorrow)
    rules = book(lax, urgent)
    given = permit(rules, "W-1", HERE)
    assert found(rules, given, later(23 * HOUR - 1)) is None
    assert found(rules, given, later(23 * HOUR)) is Cause.AUTHORISATION_OVER
    confirmed = a_grant(type="exigency", urgent=True, confirmed=True, version=2, not_after=tomorrow)
    after = renewed(book(lax, confirmed), given, later(HOUR))
    assert isinstance(after, Permit)
    assert found(book(lax, confirmed), after, later(30 * HOUR)) is None


def test_a_new_policy_renews_or_ends_what_is_armed() -> None:
    given = permit(book(), "W-1", HERE)
    same = renewed(book({"version": 2}), given, later(60))
    assert isinstance(same, Permit)
    assert (same.began, same.grant) == (given.began, given.grant)
    assert same.ends_at == pytest.approx(given.ends_at)
    stricter = renewed(book({"authorisations": {"max_hours": 2}}), given, later(60))
    assert isinstance(stricter, Breach)
    assert stricter.cause is Cause.POLICY_CHANGED
    revoked = renewed(book(revoked=frozenset({"W-1"})), given, later(60))
    assert isinstance(revoked, Breach)
    assert revoked.cause is Cause.REVOKED


def test_a_renewal_does_not_make_a_moved_clock_good() -> None:
    """Whoever has a policy sent at the moment he sets the clock back gains nothing."""
    given = permit(book(), "W-1", HERE)
    after = renewed(book({"version": 2}), given, later(3600, wall=Wall(NOW)))
    assert isinstance(after, Breach)
    assert after.cause is Cause.TIME


def test_the_built_in_policy_arms_under_any_id_and_listens_to_the_monitor() -> None:
    rules = Rulebook()
    given = permit(rules, "TEST-1", Circumstances(Wall(0.0), Monotonic(0.0)))
    assert found(rules, given, Circumstances(Wall(1e9), Monotonic(5.0))) is None
    assert found(rules, given, replace(HERE, fpir="too many")) is Cause.FPIR
    with pytest.raises(RefusedError, match="revoked"):
        permit(Rulebook(revoked=frozenset({"TEST-1"})), "TEST-1", HERE)


def test_a_signed_field_test_policy_needs_its_authorisations_all_the_same() -> None:
    rules = book({"name": "field-test"}, a_grant(type="consent-test"))
    assert permit(rules, "W-1", HERE).grant.type == "consent-test"
    with pytest.raises(RefusedError, match="not loaded"):
        permit(rules, "field-test", HERE)


@pytest.mark.parametrize(
    ("source", "here"),
    [
        ("ntp", replace(HERE, signs=TimeSigns(kernel=True))),
        ("rtc", replace(HERE, signs=TimeSigns(rtc=Wall(NOW + 1)))),
        ("gps", replace(HERE, fix=Fix(0.0, 0.0, 5.0, Wall(NOW - 2), Monotonic(499.0)))),
    ],
)
def test_each_source_vouches_for_the_clock_where_it_is_asked(
    source: str, here: Circumstances
) -> None:
    only: Callable[[str], Rulebook] = lambda one: book({"bounds": {"time_sources": [one]}})  # noqa: E731
    assert permit(only(source), "W-1", here)
    for other in {"ntp", "rtc", "gps"} - {source}:
        with pytest.raises(RefusedError, match="time is not trusted"):
            permit(
                only(other), "W-1", replace(here, signs=replace(here.signs, kernel=source == "ntp"))
            )


@pytest.mark.parametrize(
    "signs", [TimeSigns(rtc=Wall(NOW + 2.1)), TimeSigns(rtc=Wall(NOW - 2.1)), TimeSigns()]
)
def test_a_hardware_clock_that_disagrees_vouches_for_nothing(signs: TimeSigns) -> None:
    with pytest.raises(RefusedError, match="time is not trusted"):
        permit(book({"bounds": {"time_sources": ["rtc"]}}), "W-1", replace(HERE, signs=signs))
