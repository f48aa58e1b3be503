"""Compares what a receiver got with what was really there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from firmware_sim.score.appearances import Appearance, appearances
from firmware_sim.score.received import Alert, alerts, leaks, recovery_us, states

_BEFORE_US, _AFTER_US = 500_000, 1_500_000
"""An alert belongs to an appearance from a little before it until a little after its end."""
_HOUR_US = 3_600_000_000
_METRES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 30)
_PIXELS = (0, 16, 24, 32, 48, 64, 96, 128, 1000)


def score(
    truth: Sequence[Mapping[str, Any]],
    received: Sequence[Mapping[str, Any]],
    *,
    start_at: float,
    late_s: float | None = None,
    report: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The score sheet, as JSON values; agent/docs/stories.md tells its keys.

    Args:
        truth: lines of a truth file, the head first.
        received: lines of the subscriber's file.
        start_at: capture time of frame 0, seconds since 1970.
        late_s: an alert received so long after it was raised is late; None where the story does
            not run in real time.
        report: the agent's run report, for alerts lost and tracks.
    """
    head, frames = truth[0], truth[1:]
    removed = head.get("removed", {})
    came = [one for one in appearances(frames) if one.begin_us < removed.get(one.entry, one.end_us)]
    length_us = round(head["frames"] / head["fps"] * 1e6)
    shifts = head.get("clock", ())
    got = alerts(received, start_at=start_at, end_us=length_us, shifts=shifts)
    firsts = _firsts(got)
    rows = [_row(one, firsts, since) for one, since in _with_since(came)]
    wrong = [alert for alert in firsts if not any(_belongs(alert, one) for one in came)]
    passing = {name for frame in frames for name in frame["passing"]}
    listed = {one.name for one in came}
    seen = {person["name"] for frame in frames for person in frame["people"] if _notable(person)}
    raised = None if report is None else report["alerts"]["raised"]
    found = [row for row in rows if row["found"]]
    strange = leaks(received)
    return {
        "story": head["story"],
        "seconds": round(length_us / 1e6, 3),
        "size": [head["width"], head["height"]],
        "identities": head["identities"],
        "passing": len(passing),
        "appearances": rows,
        "found": len(found),
        "missed": len(rows) - len(found),
        "time_to_alert_s": _spread([row["time_to_alert_s"] for row in found]),
        "distance_m": _spread([row["distance_m"] for row in found]),
        "frames_to_alert": _spread([row["frames_to_alert"] for row in found]),
        "false_alerts": {
            "count": len(wrong),
            "per_hour": round(len(wrong) * _HOUR_US / length_us, 2),
            "per_subject": round(len(wrong) / max(1, len(passing - listed)), 4),
            "entries": sorted(alert.entry for alert in wrong),
            "at_s": [round(alert.at_us / 1e6, 2) for alert in wrong],
        },
        "alerts": {
            "received": len(got),
            "distinct": len(firsts),
            "first": sum(not alert.update for alert in firsts),
            "raised": raised,
            "lost": None if raised is None else max(0, raised - len(firsts)),
            "late": None if late_s is None else sum(_late(alert, late_s) for alert in firsts),
        },
        "breaches": {
            "count": len(strange) + len(wrong),
            "what": [*strange, *(f"an alert about somebody else names {a.entry}" for a in wrong)],
        },
        "tracks_per_person": None if report is None else _ratio(report["tracks"], len(seen)),
        "subjects_per_person": None if report is None else _ratio(report["subjects"], len(seen)),
        "recall_by_distance_m": _recall(rows, _METRES, by="distance_m"),
        "recall_by_width_px": _recall(rows, _PIXELS, by="width_px"),
        "states": states(received),
        "recovery_s": _recovery_s(received, start_at, head.get("over"), frames),
    }


def _recovery_s(
    received: Sequence[Mapping[str, Any]],
    start_at: float,
    over_us: int | None,
    frames: Sequence[Mapping[str, Any]],
) -> float | None:
    """Until the last frame: the device is switched off then."""
    if over_us is None or not frames:
        return None
    end_us = frames[-1]["at_us"]
    took_us = recovery_us(received, start_at=start_at, over_us=over_us, end_us=end_us)
    return None if took_us is None else round(took_us / 1e6, 2)


def _firsts(got: Iterable[Alert]) -> list[Alert]:
    """Each id once, as it first came."""
    once: dict[str, Alert] = {}
    for alert in got:
        once.setdefault(alert.id, alert)
    return list(once.values())


def _with_since(came: Sequence[Appearance]) -> list[tuple[Appearance, int]]:
    """Each with the time before which an alert belongs to the entry's appearance before."""
    ends: dict[str, int] = {}
    found = []
    for one in came:
        found.append((one, ends.get(one.entry, -_HOUR_US)))
        ends[one.entry] = one.end_us
    return found


def _belongs(alert: Alert, one: Appearance) -> bool:
    inside = one.begin_us - _BEFORE_US <= alert.at_us <= one.end_us + _AFTER_US
    return alert.entry == one.entry and inside


def _row(one: Appearance, firsts: Iterable[Alert], since_us: int) -> dict[str, Any]:
    mine = [alert for alert in firsts if _belongs(alert, one) and alert.at_us > since_us]
    first = min(mine, key=lambda alert: alert.at_us, default=None)
    row: dict[str, Any] = {
        "entry": one.entry,
        "name": one.name,
        "begin_s": round(one.begin_us / 1e6, 2),
        "end_s": round(one.end_us / 1e6, 2),
        "closest_m": one.closest_m,
        "farthest_m": one.farthest_m,
        "narrowest_px": one.narrowest_px,
        "widest_px": one.widest_px,
        "found": first is not None,
    }
    if first is None:
        return row
    reach = one.begin_us if one.reach_us is None else one.reach_us
    sight = one.sight(first.at_us)
    return row | {
        "alert": first.id,
        "update": first.update,
        "alert_s": round(first.at_us / 1e6, 2),
        "time_to_alert_s": round(max(0, first.at_us - reach) / 1e6, 2),
        "after_first_sight_s": round(max(0, first.at_us - one.begin_us) / 1e6, 2),
        "frames_to_alert": one.frames_between(reach, first.at_us),
        "distance_m": sight.distance_m,
        "width_px": sight.width_px,
        "similarity": first.similarity,
    }


def _notable(person: Mapping[str, Any]) -> bool:
    """A face that a detector with the agent's usual bounds has to find."""
    return bool(person["visible"] >= 0.5 and person["width_px"] >= 24)  # noqa: PLR2004


def _late(alert: Alert, late_s: float) -> bool:
    return alert.received_us - alert.at_us > late_s * 1e6


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"median": round(median(values), 3), "least": min(values), "most": max(values)}


def _ratio(tracks: int, people: int) -> float | None:
    return round(tracks / people, 2) if people else None


def _recall(
    rows: Sequence[Mapping[str, Any]], edges: Sequence[float], *, by: str
) -> list[dict[str, Any]]:
    """For each range: appearances that were in it, and those found by the time they left it for a
    better one, nearer or wider.
    """
    made = []
    for low, high in pairwise(edges):
        if by == "distance_m":
            inside = [row for row in rows if row["closest_m"] < high and row["farthest_m"] >= low]
            found = [row for row in inside if row["found"] and row["distance_m"] >= low]
        else:
            inside = [row for row in rows if row["widest_px"] >= low and row["narrowest_px"] < high]
            found = [row for row in inside if row["found"] and row["width_px"] < high]
        if inside:
            count = {"appearances": len(inside), "found": len(found)}
            made.append({"from": low, "to": high, **count})
    return made
