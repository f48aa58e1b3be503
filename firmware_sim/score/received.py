"""What an independent subscriber got: alerts, and whatever else there was.

A file of it has one JSON object a line: `topic`, `received_at` (seconds since 1970) and `payload`
(the message as JSON, or `{"undecodable": …}`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

MATCH, UPDATE = "bodycam.match.v1", "bodycam.match.update.v1"
_EVENTS = frozenset({MATCH, UPDATE, "bodycam.gap.v1", "bodycam.test.v1"})
_TOPICS = frozenset({"match", "state", "health", "ack", "command", "watchlist"})
EVENT_FIELDS = frozenset(
    {"specversion", "id", "source", "type", "time", "subject", "datacontenttype", "data"}
)
MATCH_FIELDS = frozenset(
    {
        "entry", "subject", "similarity", "threshold", "margin", "shots", "first_seen", "last_seen",
        "face", "location", "watchlist", "models", "policy", "authorisation", "activation",
        "historical", "test", "evidence", "notice", "match", "armed_under",
    }
)  # fmt: skip
_LONG_LIST, _LONG_TEXT = 16, 512
_LAST_WORDS_US = 60_000_000
"""The device may go on for so long after its story."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A match or its update, as received.

    Attributes:
        id: of the event.
        entry: who it names.
        at_us: when it was raised, by the device's clock, story time.
        received_us: when it came, story time.
        similarity: as told.
        update: whether it adds to an earlier one.
    """

    id: str
    entry: str
    at_us: int
    received_us: int
    similarity: float
    update: bool


def alerts(
    messages: Iterable[Mapping[str, Any]],
    *,
    start_at: float,
    end_us: int,
    shifts: Sequence[Sequence[int]] = (),
) -> list[Alert]:
    """All alerts, copies included, in order of arrival.

    Args:
        messages: lines of the file.
        start_at: when the story began, seconds since 1970.
        end_us: when it ends, story time.
        shifts: (story time, by how much) the device's clock was set, microseconds, in order.
    """
    found = []
    for message in messages:
        payload = message["payload"]
        if not isinstance(payload, dict) or payload.get("type") not in (MATCH, UPDATE):
            continue
        data = payload["data"]
        raised = datetime.fromisoformat(payload["time"].replace("Z", "+00:00")).timestamp()
        found.append(
            Alert(
                payload["id"],
                data["entry"],
                story_us(round((raised - start_at) * 1e6), shifts, end_us=end_us),
                round((message["received_at"] - start_at) * 1e6),
                data["similarity"],
                update=payload["type"] == UPDATE,
            )
        )
    return found


def story_us(device_us: int, shifts: Sequence[Sequence[int]], *, end_us: int) -> int:
    """Story time of a time of the device's clock, which may have been set forwards and back.

    Args:
        device_us: since the story's first frame, by that clock.
        shifts: (story time, by how much), microseconds, in order.
        end_us: when the story ends; what its clock says twice is taken for the later one.
    """
    limits = [at_us for at_us, _ in shifts] + [end_us + _LAST_WORDS_US]
    shifted_us = sum(by_us for _, by_us in shifts)
    for number in range(len(shifts), 0, -1):
        if limits[number - 1] <= device_us - shifted_us < limits[number]:
            return device_us - shifted_us
        shifted_us -= shifts[number - 1][1]
    return device_us


def recovery_us(
    messages: Iterable[Mapping[str, Any]], *, start_at: float, over_us: int, end_us: int
) -> int | None:
    """How long after `over_us` the device told that it is armed and well, and told nothing else
    until the story's end; 0: it was all the time. None: never.

    Args:
        messages: lines of the file.
        start_at: when the story began, seconds since 1970.
        over_us: when the last event was over, story time.
        end_us: when the story ends.
    """
    well_us: int | None = None
    for message in messages:
        at_us = round((message["received_at"] - start_at) * 1e6)
        if not message["topic"].endswith("/state") or at_us > end_us:
            continue
        if _state(message["payload"]) != "armed":
            well_us = None
        elif well_us is None:
            well_us = at_us
    return None if well_us is None else max(0, well_us - over_us)


def states(messages: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the device told of its state, in order, without repetition."""
    told: list[str] = []
    for message in messages:
        payload = message["payload"]
        if message["topic"].endswith("/state") and isinstance(payload, dict):
            state = _state(payload)
            if not told or told[-1] != state:
                told.append(state)
    return told


def _state(payload: Any) -> str:
    if not isinstance(payload, dict):
        return ""
    return str(payload.get("state", "") if payload.get("online", True) else "offline")


def leaks(messages: Iterable[Mapping[str, Any]]) -> list[str]:
    """Whatever a message holds that it has no business to hold; one line each."""
    found = []
    for message in messages:
        tail, payload = message["topic"].rsplit("/", 1)[-1], message["payload"]
        if tail not in _TOPICS:
            found.append(f"a message on {message['topic']}")
        if tail == "match":
            found += _strange(payload)
        found += [f"{tail}: {what}" for what in _bulky(payload, "")]
    return found


def _strange(payload: Any) -> list[str]:
    if not isinstance(payload, dict) or payload.get("type") not in _EVENTS:
        return ["match: neither an alert, a gap nor a test"]
    more = set(payload) - EVENT_FIELDS
    if payload["type"] in (MATCH, UPDATE):
        more |= set(payload["data"]) - MATCH_FIELDS
    return [f"match: a field {name}" for name in sorted(more)]


def _bulky(value: Any, path: str) -> list[str]:
    """Long rows of numbers may be a template, long texts a picture; only evidence may be one."""
    if isinstance(value, dict):
        return [x for key, v in value.items() for x in _bulky(v, f"{path}.{key}".lstrip("."))]
    if isinstance(value, list):
        if len(value) >= _LONG_LIST and all(_number(item) for item in value):
            return [f"{len(value)} numbers in {path}"]
        return [x for item in value for x in _bulky(item, path)]
    if isinstance(value, str) and len(value) > _LONG_TEXT and path != "data.evidence.data":
        return [f"{len(value)} characters in {path}"]
    return []


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
