"""When the device does less, and that it never wavers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.config.governor import DEFAULT_RULES, GovernorConfig, GovernorRule
from agent.stages.governor import (
    Effort,
    Measures,
    States,
    at_first,
    effort,
    govern,
    in_force,
)
from agent.values import Monotonic

CONFIG = GovernorConfig()
ASKED = Effort(10.0, 24.0, 4.0)
FLOOR = Effort(2.0, 48.0, 1.0)
COOL = Measures(battery=90.0, charging=False, temperature=45.0, load=0.4, faces=3)
EVERY_S = 2.0


def run(*phases: tuple[Measures, float], config: GovernorConfig = CONFIG) -> list[States]:
    """The states after each measure, taken every two seconds."""
    now, states, found = 0.0, at_first(config), []
    for measures, seconds in phases:
        for _ in range(round(seconds / EVERY_S)):
            states = govern(states, measures, config, now=Monotonic(now))
            found.append(states)
            now += EVERY_S
    return found


def names(states: States, config: GovernorConfig = CONFIG) -> list[str]:
    return [rule.name for rule in in_force(states, config)]


def settled(**changes: float | bool | None) -> list[str]:
    measures = {**{name: getattr(COOL, name) for name in COOL.__slots__}, **changes}
    return names(run((Measures(**measures), 10.0))[-1])


@pytest.mark.parametrize(
    ("changes", "expected", "left"),
    [
        ({}, [], ASKED),
        ({"battery": 30.0}, ["battery-low"], Effort(6, 24, 3)),
        ({"battery": 10.0}, ["battery-low", "battery-critical"], Effort(3, 36, 2)),
        ({"battery": 10.0, "charging": True}, [], ASKED),
        ({"battery": None}, [], ASKED),
        ({"temperature": 75.0}, ["warm"], Effort(6, 24, 3)),
        ({"temperature": 85.0}, ["warm", "hot"], Effort(3, 36, 2)),
        ({"temperature": 95.0}, ["warm", "hot", "overheated"], Effort(1, 36, 2)),
        ({"load": 1.0}, ["busy"], Effort(6, 24, 4)),
        ({"load": None}, [], ASKED),
        ({"faces": 60}, ["crowd"], Effort(10, 24, 2)),
        ({"battery": 20.0, "faces": 60}, ["battery-low", "crowd"], Effort(6, 24, 2)),
    ],
)
def test_the_default_table(
    changes: dict[str, float | bool | None], expected: list[str], left: Effort
) -> None:
    assert settled(**changes) == expected
    assert effort([rule for rule in DEFAULT_RULES if rule.name in expected], ASKED) == left


def test_the_last_rules_are_below_the_least_and_the_others_are_not() -> None:
    short = {rule.name for rule in DEFAULT_RULES if effort([rule], ASKED).short_of(FLOOR)}
    assert short == {"battery-empty", "overheated"}
    words = effort([DEFAULT_RULES[2]], ASKED).short_of(FLOOR)
    assert words == "1 detections/s, 2 are the least"


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (ASKED, ""),
        (Effort(2.0, 48, 1), ""),
        (Effort(0.0, 24, 4), ""),  # every frame
        (Effort(1.0, 24, 4), "1 detections/s, 2 are the least"),
        (Effort(6, 60, 4), "faces from 60 px, 48 px are the most"),
        (Effort(6, 24, 0.5), "0.5 shots/s, 1 are the least"),
        (
            Effort(1, 60, 0.5),
            (
                "1 detections/s, 2 are the least; faces from 60 px, 48 px are the most; "
                "0.5 shots/s, 1 are the least"
            ),
        ),
    ],
)
def test_what_is_too_little(left: Effort, words: str) -> None:
    assert left.short_of(FLOOR) == words


def test_one_reading_is_not_enough_to_come_into_force() -> None:
    glitch = Measures(battery=0.0, charging=False)
    steady = Measures(battery=90.0, charging=False)
    states = run((steady, 10), (glitch, 2), (steady, 10), (glitch, 2), (steady, 10))
    assert all(names(one) == [] for one in states)
    assert "battery-empty" in names(run((glitch, 6))[-1])


def test_it_is_in_force_after_its_time_and_out_of_it_after_its_own() -> None:
    hot = Measures(temperature=80.0)
    cool = Measures(temperature=69.0)
    states = run((hot, 10), (cool, 60))
    came = next(i for i, one in enumerate(states) if names(one))
    assert came * EVERY_S == CONFIG.after_s
    went = next(i for i, one in enumerate(states) if i > came and not names(one))
    assert went * EVERY_S == 10 + CONFIG.hold_s


def test_between_the_two_thresholds_and_without_a_measure_nothing_changes() -> None:
    hot, tepid, blind = (Measures(temperature=t) for t in (80.0, 73.0, None))
    assert names(run((tepid, 100))[-1]) == []
    assert names(run((hot, 10), (tepid, 1000))[-1]) == ["warm"]
    assert names(run((hot, 10), (blind, 1000))[-1]) == ["warm"]


def test_a_cable_that_comes_and_goes_changes_nothing() -> None:
    empty, plugged = (Measures(battery=12.0, charging=c) for c in (False, True))
    states = run((empty, 10), *[(plugged, 10), (empty, 4)] * 20)
    assert {tuple(names(one)) for one in states[5:]} == {("battery-low",)}
    assert names(run((empty, 10), (plugged, 34))[-1]) == []


_any = st.one_of(st.none(), st.floats(-20, 120))
MEASURES = st.builds(
    Measures,
    battery=_any,
    charging=st.sampled_from([None, False, True]),
    temperature=_any,
    load=st.one_of(st.none(), st.floats(0, 1)),
    faces=st.one_of(st.none(), st.integers(0, 200)),
)


@given(st.lists(st.tuples(MEASURES, st.floats(0.1, 20)), max_size=60))
def test_no_rule_ever_wavers(story: list[tuple[Measures, float]]) -> None:
    """Whatever is measured, a rule stays for its time: `hold_s` in force, `after_s` out of it."""
    now, states = 0.0, at_first(CONFIG)
    changed: list[float | None] = [None] * len(states)
    for measures, pause in story:
        now += pause
        after = govern(states, measures, CONFIG, now=Monotonic(now))
        for i, (one, other) in enumerate(zip(states, after, strict=True)):
            if one.on != other.on:
                least = CONFIG.hold_s if one.on else CONFIG.after_s
                last = changed[i]
                assert last is None or now - last >= least
                changed[i] = now
        states = after


@given(MEASURES, st.integers(1, 100))
def test_what_stays_the_same_changes_each_rule_once_at_most(measures: Measures, turns: int) -> None:
    states = run((measures, EVERY_S * turns))
    for i in range(len(CONFIG.rules)):
        flips = sum(a[i].on != b[i].on for a, b in itertools.pairwise(states))
        assert flips <= 1


@given(st.lists(st.sampled_from(DEFAULT_RULES), max_size=8), st.sampled_from(DEFAULT_RULES))
def test_one_rule_more_never_means_more_work(rules: list[GovernorRule], more: GovernorRule) -> None:
    less, least = effort(rules, ASKED), effort([*rules, more], ASKED)
    assert least.rate_hz <= less.rate_hz
    assert least.face_px >= less.face_px
    assert least.shots_per_s <= less.shots_per_s


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([{"name": "a", "measure": "battery", "at": 30, "back": 30}], "back must lie above at"),
        ([{"name": "a", "measure": "temperature", "at": 70, "back": 75}], "back must lie below at"),
        ([{"name": "a", "measure": "mood", "at": 1, "back": 0}], "measure"),
        ([{"name": "a", "measure": "load", "at": 0.9, "back": 0.5}] * 2, "the same name"),
        ([{"name": "a", "measure": "load", "at": 1, "back": 0, "face_scale": 0.5}], "face_scale"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(rules: list[object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        GovernorConfig.model_validate({"rules": rules})
