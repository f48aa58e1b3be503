"""What came of a story."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Played:
    """What came of a story.

    Attributes:
        score: the score sheet.
        problems: what is worse than expected.
        alerts: (type, entry) of every distinct alert, in order.
        report: the agent's.
        seconds: it took.
    """

    score: dict[str, Any]
    problems: list[str]
    alerts: list[tuple[str, str]]
    report: dict[str, Any]
    seconds: float


def alerts_of(got: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """(type, entry) of every distinct alert, in order of arrival."""
    once = {
        line["payload"]["id"]: (line["payload"]["type"], line["payload"]["data"]["entry"])
        for line in got
        if line["topic"].endswith("/match") and "entry" in line["payload"].get("data", {})
    }
    return list(once.values())
