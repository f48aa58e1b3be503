"""What a recording says, in story time: alerts raised and received, when it was armed, who came."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from firmware_sim.gps import METRES_PER_DEGREE
from firmware_sim.score.received import Alert, alerts, story_us
from tests.faults.recording import Recording


def afterwards(it: Recording) -> list[Mapping[str, Any]]:
    """Appearances of people who are still listed, after the stated time of recovery."""
    return [
        row
        for row in it.score["appearances"]
        if row["begin_s"] >= it.over_s + it.within_s and row["entry"] not in it.removed
    ]


def received_alerts(it: Recording) -> list[Alert]:
    """Matches and updates with the time of their picture, copies included."""
    return alerts(
        [one for one in it.received if is_match(one)],
        start_at=it.start_at,
        end_us=round(it.seconds * 1e6),
        shifts=it.shifts,
    )


def raised_ids(it: Recording) -> list[str]:
    return [str(one["fields"]["event"]) for one in raised(it)]


def armed_spans(it: Recording) -> list[tuple[float, float]]:
    """Story times between which the log says it was armed, s."""
    spans, begin = [], None
    for record in it.audit:
        if record["kind"] not in ("arm", "disarm", "start", "stop"):
            continue
        at = _at_s(it, record)
        if begin is not None:
            spans.append((begin, at))
        begin = at if record["kind"] == "arm" else None
    return spans if begin is None else [*spans, (begin, math.inf)]


def _at_s(it: Recording, record: Mapping[str, Any]) -> float:
    told = datetime.fromisoformat(record["time"].replace("Z", "+00:00")).timestamp()
    device_us = round((told - it.start_at) * 1e6)
    return story_us(device_us, it.shifts, end_us=round(it.seconds * 1e6)) / 1e6


def raised(it: Recording) -> list[Mapping[str, Any]]:
    return [record for record in it.audit if record["kind"] == "alert"]


def is_match(message: Mapping[str, Any]) -> bool:
    payload = message["payload"]
    return (
        message["topic"].endswith("/match")
        and isinstance(payload, Mapping)
        and str(payload.get("type", "")).startswith("bodycam.match.")
    )


def metres(here: tuple[float, float], lat: float, lon: float) -> float:
    east = (lon - here[1]) * math.cos(math.radians(here[0]))
    return METRES_PER_DEGREE * math.hypot(lat - here[0], east)
