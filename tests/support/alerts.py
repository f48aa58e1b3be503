"""Alerts and their surroundings, for tests that only need one."""

from __future__ import annotations

from dataclasses import replace

from agent.delivery import EventContext
from agent.messages import new_ulid
from agent.values import Alert, EntryRef, FaceMeasure, OutboxEntry, Wall, WatchlistRef

CONTEXT = EventContext(
    agency="spd",
    device="cam-7",
    detector_sha256="a" * 64,
    embedder_sha256="b" * 64,
    policy_sha256="c" * 64,
)


def ulid(number: int) -> str:
    return new_ulid(wall_s=1_800_000_000 + number / 1000, randomness=number.to_bytes(10, "big"))


def an_alert(number: int = 1, **changes: object) -> Alert:
    alert = Alert(
        id=ulid(number),
        match=None,
        ref=EntryRef(entry="e-17", subject="s-9", authorisation="auth-3", priority=2),
        similarity=0.6412345678,
        threshold=0.5,
        margin=0.31,
        shots=5,
        face=FaceMeasure(width_px=87.25, quality=0.81),
        first_seen=Wall(1_800_000_000.25),
        last_seen=Wall(1_800_000_002.5),
        raised_at=Wall(1_800_000_002.75),
        watchlist=WatchlistRef(id="field", version=4),
        activation=ulid(900_000),
        test=True,
    )
    return replace(alert, **changes)


def an_entry(
    number: int,
    *,
    priority: int = 0,
    payload: bytes | None = None,
    at: float | None = 0.0,
) -> OutboxEntry:
    """Put when the monotonic clock began, unless told otherwise."""
    body = payload if payload is not None else b'{"n":%d}' % number
    wall = Wall(1_800_000_000.0 + number)
    return OutboxEntry(ulid(number), "match", body, priority, wall, at=at)
