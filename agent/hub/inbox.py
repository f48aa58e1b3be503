"""The hub's inbox: a batch of messages in, on disk, and what to answer out.

One transaction holds everything of a batch: events, the acknowledgements made for them, and what
was refused. Only when it is on disk does anything go back to cameras or broker: a hub that is
killed at any moment has either not kept an event and not acknowledged it, or kept it; then it comes
again, is known, and is acknowledged again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from agent.adapters.signing import Signs
from agent.errors import DataError
from agent.hub.anchors import Anchored, keep_anchor
from agent.hub.chain import write_log
from agent.hub.devices import Device
from agent.hub.event_store import EventStore, note_refusals
from agent.hub.event_values import (
    CheckpointHeard,
    HealthHeard,
    Incoming,
    Opened,
    Refused,
    StateHeard,
    Why,
)
from agent.hub.opening import Opener
from agent.hub.saying import ack_messages

ACK: Final = "ack"


@dataclass
class Taken:
    """What a batch came to.

    Attributes:
        stored: new events, in order of arrival.
        again: how many were here already.
        refused: what was not believed.
        states, health: what cameras said of themselves.
        anchors: new checkpoints of audit logs.
        alive: every camera that was heard.
        answers: (topic, payload) to be published now.
    """

    stored: list[Opened] = field(default_factory=list)
    again: int = 0
    refused: list[Refused] = field(default_factory=list)
    states: list[StateHeard] = field(default_factory=list)
    health: list[HealthHeard] = field(default_factory=list)
    alive: list[str] = field(default_factory=list)
    anchors: list[Anchored] = field(default_factory=list)
    answers: list[tuple[str, bytes]] = field(default_factory=list)


class Inbox:
    """Takes in what cameras sent.

    Args:
        opener: judges messages.
        store: keeps events.
        topics: `{prefix}/{agency}`.
        signer: with the acknowledging key that a camera knows.
    """

    def __init__(
        self, opener: Opener, store: EventStore, topics: str, signer: Callable[[Device], Signs]
    ) -> None:
        self._opener = opener
        self._store = store
        self._topics = topics
        self._signer = signer

    def take(self, batch: Sequence[Incoming], *, now: float) -> Taken:
        """Judge, keep and answer; on disk when this returns.

        Raises:
            DiskError: nothing of the batch was kept.
            BodycamError: a key of the hub cannot be opened; nothing of the batch was kept.
        """
        judged = [self._opener.judge(one.topic, one.payload) for one in batch]
        taken = Taken()
        for one, message in zip(judged, batch, strict=True):
            if isinstance(one, Refused):
                taken.refused.append(one)
                continue
            if isinstance(one, StateHeard):
                taken.states.append(one)
            elif isinstance(one, HealthHeard):
                taken.health.append(one)
            if not message.retained:
                taken.alive.append(one.device.name)
        events = [one for one in judged if isinstance(one, Opened | CheckpointHeard)]
        if events or taken.refused:
            with self._store.database.transaction() as db:
                self._keep(db, events, taken, now)
                note_refusals(db, taken.refused, now)
        return taken

    def _keep(
        self,
        db: sqlite3.Connection,
        events: Sequence[Opened | CheckpointHeard],
        taken: Taken,
        now: float,
    ) -> None:
        known: dict[str, tuple[Device, dict[str, bool]]] = {}
        for one in events:
            ids = known.setdefault(one.device.key_id, (one.device, {}))[1]
            if isinstance(one, CheckpointHeard):
                self._anchor(db, one, taken, now)
                ids.setdefault(one.event.id, False)
                continue
            put = self._put(db, one, now)
            if isinstance(put, Refused):
                taken.refused.append(put)
                continue
            ids[one.event.id] = ids.get(one.event.id, False) or put
            if put:
                taken.stored.append(one)
            else:
                taken.again += 1
        for device, ids in known.values():
            if ids:
                self._acknowledge(db, device, ids, taken, now)

    def _anchor(
        self, db: sqlite3.Connection, one: CheckpointHeard, taken: Taken, now: float
    ) -> None:
        """A fork is kept too, as the proof that it is, and acknowledged: it is on disk."""
        anchored = keep_anchor(db, one.device, one.event, now)
        if anchored is None:
            taken.again += 1
            return
        taken.anchors.append(anchored)
        if anchored.fork:
            data = one.event.data
            where: dict[str, str | int] = {
                "first": data.first,
                "last": data.last,
                "sha256": data.hash,
            }
            write_log(db, "fork", now, device=one.device.name, **where)

    def _put(self, db: sqlite3.Connection, one: Opened, now: float) -> bool | Refused:
        try:
            return self._store.put(db, one, now)
        except DataError as error:
            return Refused(Why.UNREADABLE, one.device.name, str(error))

    def _acknowledge(
        self,
        db: sqlite3.Connection,
        device: Device,
        ids: dict[str, bool],
        taken: Taken,
        now: float,
    ) -> None:
        agency = self._topics.rpartition("/")[2]
        signer = self._signer(device)
        for ack in ack_messages(agency, device.name, tuple(ids), signer, now=now):
            message = ack.model_dump_json().encode()
            taken.answers.append((f"{self._topics}/{device.name}/{ACK}", message))
            new = [one for one in ack.ids if ids[one]]
            if new:
                row = (now, signer.sign_key, message)
                cursor = db.execute("INSERT INTO ack (at, public, message) VALUES (?, ?, ?)", row)
                db.executemany(
                    "UPDATE event SET ack = ? WHERE device_key = ? AND id = ?",
                    [(cursor.lastrowid, device.key_id, one) for one in new],
                )
