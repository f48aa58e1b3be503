"""A score as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DELIVERY = ("raised", "lost", "late")


def as_table(score: Mapping[str, Any]) -> str:
    """Several lines, without the last line break."""
    wrong, alerts, breaches = score["false_alerts"], score["alerts"], score["breaches"]
    tracks = score["tracks_per_person"]
    delivery = (alerts["distinct"], *map(_or_unknown, (alerts[k] for k in _DELIVERY)))
    lines = [
        f"story      {score['story']}, {score['seconds']:g} s, {score['passing']} people passing",
        f"           {score['identities']} identities of the footage",
        f"found      {score['found']} of {len(score['appearances'])} appearances of listed people",
        *(_row(row) for row in score["appearances"]),
        f"false      {wrong['count']} alerts: {wrong['per_hour']:g} an hour",
        f"           {wrong['per_subject']:g} a person passing who is not listed",
        "delivery   {} received, {} raised, {} lost, {} late".format(*delivery),
        f"privacy    {breaches['count']} breaches",
        *(f"           {what}" for what in breaches["what"]),
    ]
    if tracks is not None:
        judged = score["subjects_per_person"]
        lines.append(f"tracks     {tracks:g} a person, {judged:g} of them long enough to be judged")
    return "\n".join(lines)


def _row(row: Mapping[str, Any]) -> str:
    seen = (
        f"           {row['entry']:8} {row['begin_s']:6.1f} to {row['end_s']:6.1f} s, "
        f"down to {row['closest_m']:.1f} m, {row['widest_px']:.0f} px: "
    )
    if not row["found"]:
        return seen + "MISSED"
    return seen + (
        f"alert at {row['alert_s']:.1f} s, {row['distance_m']:.1f} m, {row['width_px']:.0f} px, "
        f"{row['time_to_alert_s']:.1f} s and {row['frames_to_alert']} frames after in reach"
    )


def _or_unknown(value: int | None) -> str:
    return "?" if value is None else str(value)
