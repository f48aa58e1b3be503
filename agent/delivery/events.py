"""From an alert to the bytes that leave the device."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from agent.messages import (
    MATCH_TYPE,
    TEST_ID,
    TEST_TYPE,
    UPDATE_TYPE,
    FaceInfo,
    Location,
    MatchData,
    MatchEvent,
    ModelHashes,
    WatchlistInfo,
    iso_utc,
)
from agent.values import Alert, EntryRef, FaceMeasure, OutboxEntry, Wall, WatchlistRef
from agent.values.place import Fix

MATCH_TOPIC = "match"
MAX_BYTES = 100_000
"""Largest payload: 100 kB, below the 128 kB of AWS IoT Core."""


@dataclass(frozen=True, slots=True)
class EventContext:
    """What every event of one run has in common.

    Attributes:
        agency, device: second and third level of the topic; the source of the event.
        detector_sha256, embedder_sha256: of the network files, hexadecimal.
        policy_sha256: of the built-in policy, hexadecimal: in force where an alert names no other.
    """

    agency: str
    device: str
    detector_sha256: str
    embedder_sha256: str
    policy_sha256: str

    @property
    def source(self) -> str:
        return f"/{self.agency}/{self.device}"


def match_event(alert: Alert, context: EventContext) -> MatchEvent:
    """The CloudEvent of an alert; an update event when it follows up an earlier one.

    Raises:
        ValueError: a field is outside the bounds of the schema (pydantic's ValidationError).
    """
    return MatchEvent(
        id=alert.id,
        source=context.source,
        type=_type_of(alert),
        time=iso_utc(alert.raised_at),
        subject=alert.ref.subject,
        data=_match_data(alert, context),
    )


def drill_alert(
    event_id: str, authorisation: str, watchlist: WatchlistRef, *, now: Wall, policy: str = ""
) -> Alert:
    """An alert about nobody, for the start of a shift. Live alerts about people go first.

    Args:
        event_id: a ULID; stands in the place of the activation too, since it belongs to none.
        authorisation: opaque id of what it is done under.
        watchlist: in use.
        now: wall-clock seconds.
        policy: hash of the policy in force; empty: of the built-in one.
    """
    return Alert(
        id=event_id,
        match=None,
        ref=EntryRef(TEST_ID, TEST_ID, authorisation),
        similarity=0.0,
        threshold=1.0,
        margin=0.0,
        shots=1,
        face=FaceMeasure(0.0, 0.0),
        first_seen=now,
        last_seen=now,
        raised_at=now,
        watchlist=watchlist,
        activation=event_id,
        test=True,
        policy=policy,
        drill=True,
    )


def _type_of(alert: Alert) -> str:
    if alert.drill:
        return TEST_TYPE
    return UPDATE_TYPE if alert.match else MATCH_TYPE


def _match_data(alert: Alert, context: EventContext) -> MatchData:
    return MatchData(
        entry=alert.ref.entry,
        subject=alert.ref.subject,
        similarity=_cosine(alert.similarity),
        threshold=_cosine(alert.threshold),
        margin=round(min(max(float(alert.margin), 0.0), 2.0), 6),
        shots=alert.shots,
        first_seen=iso_utc(alert.first_seen),
        last_seen=iso_utc(alert.last_seen),
        face=FaceInfo(
            width_px=round(float(alert.face.width_px), 1),
            quality=round(float(alert.face.quality), 3),
        ),
        location=_location(alert.place),
        watchlist=WatchlistInfo(id=alert.watchlist.id, version=alert.watchlist.version),
        models=ModelHashes(detector=context.detector_sha256, embedder=context.embedder_sha256),
        policy=alert.policy or context.policy_sha256,
        authorisation=alert.ref.authorisation,
        activation=alert.activation,
        armed_under=alert.armed_under or None,
        test=alert.test,
        match=alert.match,
    )


def _location(place: Fix | None) -> Location | None:
    """To a decimetre; None unless accuracy and time are known too, for both must be judged."""
    if place is None or place.accuracy_m is None or place.time is None:
        return None
    return Location(
        lat=round(place.lat, 6),
        lon=round(place.lon, 6),
        accuracy_m=round(place.accuracy_m, 1),
        fix_time=iso_utc(place.time),
    )


def _cosine(value: float) -> float:
    """Six digits, and never outside [-1, 1] for a float32 rounding error."""
    return round(min(max(float(value), -1.0), 1.0), 6)


def encode(event: MatchEvent) -> bytes:
    """Compact UTF-8 JSON, at most 100 kB; `data.match` is there in updates only.

    Raises:
        ValueError: larger than 100 kB.
    """
    tree = event.model_dump(mode="json")
    if event.data.match is None:
        del tree["data"]["match"]
    payload = compact(tree)
    if len(payload) > MAX_BYTES:
        raise ValueError(f"event {event.id}: {len(payload)} bytes, at most {MAX_BYTES} may be sent")
    return payload


def compact(tree: Any) -> bytes:
    """JSON without spaces, UTF-8."""
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=False).encode()


def open_payload(entry: OutboxEntry, historical: bool) -> bytes:
    """What goes out for an entry whose event is not sealed; the stored event says `false`.

    An entry that is historical, and has a place to say so, says so: `data.historical`. A sealed
    event will carry it beside its sealed data, since nothing can be written into that.
    """
    if not historical:
        return entry.payload
    try:
        tree = json.loads(entry.payload)
    except ValueError:
        return entry.payload
    data = tree.get("data") if isinstance(tree, dict) else None
    if not isinstance(data, dict) or "historical" not in data:
        return entry.payload
    data["historical"] = True
    return compact(tree)


def outbox_entry(alert: Alert, context: EventContext) -> OutboxEntry:
    """The entry to commit for an alert; its event stays as it is over all tries."""
    return OutboxEntry(
        id=alert.id,
        topic=MATCH_TOPIC,
        payload=encode(match_event(alert, context)),
        priority=alert.ref.priority,
        created_at=alert.raised_at,
    )
