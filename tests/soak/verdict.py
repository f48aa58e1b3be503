"""What a recorded shift says: figures, and everything that is not as it must be. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.soak.judge import (
    DAY_H,
    Bounds,
    judge_count,
    judge_disk,
    judge_memory,
    series_of,
    trend,
    usual,
)

JUDGED = ("agent", "camera", "hub")
DISK_MB = {"state_mb": 16.0}
"""The list, an outbox that is empty most of the time, the reserve, the audit log as configured."""
_SEEN = 0.9
"""Share of the samples that must have been taken."""
_NEVER_SAID = ("a stage did not end in time", "a stage failed")
SAMPLE_S = 60.0

Samples = Sequence[dict[str, dict[str, float]]]


def judge_shift(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Figures by process and folder, and under `broken` a line for everything that is wrong."""
    samples: Samples = recorded["samples"]
    broken = [*_ended(recorded), *_complete(recorded), *_delivered(recorded)]
    for who in JUDGED:
        broken += _judge_process(who, samples)
    for what, most in DISK_MB.items():
        broken += judge_disk(what, series_of(samples, "disk", what), Bounds(disk_mb=most))
    told = ("shift", "report", "hub_events", "codes", "refused", "said")
    return {
        "broken": broken,
        "processes": {who: figures(who, samples) for who in JUDGED},
        "disk": {what: max(series_of(samples, "disk", what).values) for what in DISK_MB},
        **{name: recorded[name] for name in told},
    }


def figures(who: str, samples: Samples) -> dict[str, float]:
    """After the warm-up: memory, its trend, the fewest and the most descriptors and threads."""
    late = {
        what: series_of(samples, who, what).after(Bounds().warm_up)
        for what in ("anon_mb", "rss_mb", "fds", "threads")
    }
    slope = trend(late["anon_mb"]).per_hour
    return {
        "rss_mb": round(max(late["rss_mb"].values), 1),
        "anon_first_mb": round(usual(late["anon_mb"])[0], 1),
        "anon_last_mb": round(usual(late["anon_mb"])[-1], 1),
        "mb_per_hour": round(slope, 3),
        "mb_per_day": round(slope * DAY_H, 1),
        "fds_usual": trend(late["fds"]).level,
        "fds_most": max(late["fds"].values),
        "threads_usual": trend(late["threads"]).level,
        "threads_most": max(late["threads"].values),
    }


def _judge_process(who: str, samples: Samples) -> list[str]:
    bounds = Bounds()
    wrong = judge_memory(f"{who}, memory", series_of(samples, who, "anon_mb"), bounds)
    for what in ("fds", "threads"):
        wrong += judge_count(f"{who}, {what}", series_of(samples, who, what), bounds)
    return wrong


def _ended(recorded: Mapping[str, Any]) -> list[str]:
    died = [f"{name} ended by itself" for name in recorded["died"]]
    codes = [f"{name} ended with {code}" for name, code in recorded["codes"].items() if code]
    said = recorded["said"].get("agent", {})
    return died + codes + [f"the agent said: {line}" for line in _NEVER_SAID if line in said]


def _complete(recorded: Mapping[str, Any]) -> list[str]:
    due = recorded["shift"]["hours"] * 3600 / SAMPLE_S
    taken = sum("agent" in sample for sample in recorded["samples"])
    return [f"{taken} samples of {due:.0f}"] if taken < _SEEN * due else []


def _delivered(recorded: Mapping[str, Any]) -> list[str]:
    alerts, kept = recorded["report"].get("alerts", {}), recorded["hub_events"]
    raised = alerts.get("raised", 0)
    if not raised:
        return ["no alert was raised"]
    if alerts["pending"] or kept < raised:
        return [f"{raised} alerts raised, {alerts['pending']} pending, {kept} at the hub"]
    return []
