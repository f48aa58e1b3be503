"""What the judge of the chaos calls broken: each fault of the world told apart from none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.judge import Arrival, FullDisk, judge
from tests.chaos.truth import Raised

COOLDOWN_S, LIVE_FOR_S = 30.0, 20.0
FULL = FullDisk(began=1000.0, ended=1100.0)


def raised(number: int, **changes: Any) -> Raised:
    one = Raised(f"E-{number}", f"S-{number}", "A", True, 100.0 * number, 0, "raised")
    return replace(one, **changes)


def arrived(one: Raised, **changes: Any) -> Arrival:
    arrival = Arrival(one.id, "bodycam.match.v1", one.subject, one.activation, False, one.at + 1)
    return replace(arrival, **changes)


def gap(lost: int, at: float) -> Arrival:
    return Arrival(f"G-{at}", "bodycam.gap.v1", None, None, False, at, lost)


def verdict(
    truth: list[Raised],
    kept: list[Arrival],
    full: FullDisk | None = None,
    left: Sequence[Arrival] = (),
) -> list[str]:
    return judge(
        {one.id: one for one in truth},
        kept,
        kept,
        left,
        live_for_s=LIVE_FOR_S,
        slack_s=5.0,
        cooldown_s=COOLDOWN_S,
        full=full,
    ).broken


THREE = [raised(1), raised(2), raised(3)]
ALL = [arrived(one) for one in THREE]


def test_all_is_as_it_must_be() -> None:
    assert verdict(THREE, ALL) == []


def test_what_a_kill_left_unsure_may_arrive_and_need_not() -> None:
    unsure = raised(4, fate="about")
    assert verdict([*THREE, unsure], ALL) == []
    assert verdict([*THREE, unsure], [*ALL, arrived(unsure)]) == []


@pytest.mark.parametrize(
    ("truth", "kept", "said"),
    [
        (THREE, ALL[:2], "lost: 1"),
        (THREE, [*ALL, ALL[0]], "twice"),
        (THREE, [*ALL, gap(1, 500.0)], "gaps: 1"),
        (THREE, [*ALL, arrived(raised(9))], "unheard_of: 1"),
        (THREE, [*ALL[:2], replace(ALL[2], at=THREE[2].at + 26.0)], "expired_live: 1"),
        ([], [], "nothing was raised"),
    ],
)
def test_what_is_broken(truth: list[Raised], kept: list[Arrival], said: str) -> None:
    assert any(said in line for line in verdict(truth, kept))


@pytest.mark.parametrize(
    ("changes", "broken"),
    [({}, True), ({"at": 140.0}, False), ({"activation": "B"}, False), ({"subject": "S-7"}, False)],
)
def test_one_subject_under_two_ids_in_its_cooldown(changes: dict[str, Any], broken: bool) -> None:
    again = replace(raised(1), id="E-1b", at=110.0)
    again = replace(again, **changes)
    truth = [raised(1), again]
    assert bool(verdict(truth, [arrived(one) for one in truth])) is broken


@pytest.mark.parametrize(
    ("after_s", "historical", "broken"), [(22, False, False), (24, False, True), (99, True, False)]
)
def test_what_leaves_as_live_is_live(after_s: float, historical: bool, broken: bool) -> None:
    left = [replace(ALL[0], at=THREE[0].at + after_s, historical=historical)]
    assert bool(verdict(THREE, ALL, left=left)) is broken


def test_historical_may_come_at_any_time() -> None:
    late = replace(ALL[0], at=9999.0, historical=True)
    assert verdict(THREE, [late, *ALL[1:]]) == []


@pytest.mark.parametrize(
    ("given_up", "unsure", "told", "broken"),
    [(2, 0, 2, False), (2, 0, 1, True), (2, 0, 3, True), (2, 1, 3, False), (2, 1, 4, True)],
)
def test_on_the_full_disk_what_is_given_up_is_told(
    given_up: int, unsure: int, told: int, broken: bool
) -> None:
    gone = [raised(20 + n, at=1001.0 + n, fate="given_up") for n in range(given_up)]
    gone += [raised(30 + n, at=1050.0 + n, fate="about") for n in range(unsure)]
    assert bool(verdict([*THREE, *gone], [*ALL, gap(told, 1200.0)], FULL)) is broken
