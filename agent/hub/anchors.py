"""Anchors: the checkpoints of every camera's audit log, which outlive purges.

The stretches of records that the checkpoints of one log cover never overlap. Where they do, the
camera has written two logs under one key: its disk was restored from an image, or copied. Both
checkpoints are kept, since both are signed: that is the proof.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from agent.hub.chain import log_lines
from agent.hub.devices import Device
from agent.hub.events_database import EventsDatabase
from agent.messages.checkpoint import AnchorsFile, CheckpointEvent

_OVERLAPS: Final = (
    "SELECT first, last, hash FROM anchor WHERE device_key = ? AND first <= ? AND last >= ?"
    " ORDER BY last LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Anchored:
    """A checkpoint that was kept.

    Attributes:
        device: whose.
        event: as signed.
        fork: what it contradicts, in words; empty when it fits.
    """

    device: Device
    event: CheckpointEvent
    fork: str = ""


def keep_anchor(
    db: sqlite3.Connection, device: Device, event: CheckpointEvent, now: float
) -> Anchored | None:
    """Keep a checkpoint, in a transaction. None: it is here already.

    Args:
        db: of events.
        device: whose signature it carries.
        event: the checkpoint.
        now: wall seconds.
    """
    data = event.data
    known = db.execute(
        "SELECT 1 FROM anchor WHERE device_key = ? AND id = ?", (device.key_id, event.id)
    ).fetchone()
    if known:
        return None
    other = db.execute(_OVERLAPS, (device.key_id, data.last, data.first)).fetchone()
    db.execute(
        "INSERT INTO anchor VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(device.key_id, event.id, device.name, data.first, data.last, data.hash, now),
            event.model_dump_json().encode(),
        ),
    )
    fork = ""
    if other:
        fork = (
            f"its audit log is forked: records {data.first} to {data.last} were signed for before, "
            f"as {other[0]} to {other[1]}; its disk was restored or copied"
        )
    return Anchored(device, event, fork)


def forks_in(known: AnchorsFile) -> list[str]:
    """Where two checkpoints cover the same records, in words."""
    found, end = [], -1
    for event in known.anchors:
        data = event.data
        if data.first <= end:
            found.append(f"records {data.first} to {min(end, data.last)}, at {event.time}")
        end = max(end, data.last)
    return found


def forked(database: EventsDatabase, agency: str, devices: Iterable[Device]) -> list[str]:
    """Names of cameras that have written two logs under the key that they have now."""
    told = [line for line in log_lines(database) if b'"kind":"fork"' in line]
    named = {json.loads(line)["fields"]["device"] for line in told}
    return [
        one.name
        for one in devices
        if one.name in named and forks_in(anchors_of(database, agency, one))
    ]


def anchors_of(database: EventsDatabase, agency: str, device: Device) -> AnchorsFile:
    """Everything the hub has of one camera's log, as it was provisioned last."""
    rows = database.read(
        "SELECT message FROM anchor WHERE device_key = ? ORDER BY last, received", device.key_id
    )
    return AnchorsFile(
        agency=agency,
        device=device.name,
        key=device.sign_key.hex(),
        anchors=tuple(CheckpointEvent.model_validate_json(row[0]) for row in rows),
    )
