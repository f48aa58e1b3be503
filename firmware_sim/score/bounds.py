"""Whether a score is as good as its story expects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware_sim.story.format import Expect


def shortfalls(expect: Expect, score: Mapping[str, Any]) -> list[str]:
    """What is worse than expected, one line each; empty when the story passes."""
    alerts = score["alerts"]
    upper = [
        ("appearances found", score["found"], expect.found_at_most),
        ("appearances missed", score["missed"], expect.missed_at_most),
        ("false alerts", score["false_alerts"]["count"], expect.false_alerts_at_most),
        ("first alerts", alerts["first"], expect.first_alerts_at_most),
        ("alerts lost", alerts["lost"], expect.lost_at_most),
        ("alerts late", alerts["late"], expect.late_at_most),
        ("privacy breaches", score["breaches"]["count"], expect.breaches_at_most),
        ("tracks per person", score["tracks_per_person"], expect.tracks_per_person_at_most),
        ("s to the alert", _median(score, "time_to_alert_s"), expect.time_to_alert_s_at_most),
        ("s to recover", score["recovery_s"], expect.recovers_within_s),
    ]
    lower = [
        ("appearances found", score["found"], expect.found_at_least),
        ("m away at the alert", _median(score, "distance_m"), expect.distance_m_at_least),
    ]
    problems = [
        f"{value:g} {name}, at most {bound:g} expected"
        for name, value, bound in upper
        if value is not None and bound is not None and value > bound
    ]
    problems += [
        f"{value:g} {name}, at least {bound:g} expected"
        for name, value, bound in lower
        if value is not None and bound is not None and value < bound
    ]
    if expect.recovers_within_s is not None and score["recovery_s"] is None:
        problems.append("the device never told again that it is armed and well")
    missing = [state for state in expect.states if state not in score["states"]]
    return problems + [f"the device never told that it is {state}" for state in missing]


def _median(score: Mapping[str, Any], key: str) -> float | None:
    spread = score[key]
    return None if spread is None else float(spread["median"])
