"""Provisioned cameras of a hub that raise sealed events, without the agent around them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from agent.adapters.sealed_events import seal_event
from agent.delivery import match_event
from agent.delivery.events import drill_alert
from agent.delivery.sealing import sealed_payload
from agent.hub.event_values import Incoming
from agent.hub.inbox import Inbox, Taken
from agent.hub.station import Station, open_station
from agent.messages import Evidence, GapEvent, new_ulid
from agent.messages.catalogue import examples
from agent.values import Alert, EntryRef, OutboxEntry, Wall, WatchlistRef
from tests.support.alerts import CONTEXT, an_alert
from tests.support.hubs import HubWorld

PREFIX, AGENCY = "bodycam", "example-pd"
JPEG = "/9j/4AAQSkZJRgABAQ=="


@dataclass
class FieldCamera:
    """A camera in the field.

    Attributes:
        world: its agency's.
        name: registered when this is made.
    """

    world: HubWorld
    name: str = "CAM-7"
    _raised: int = 0
    keys: Any = field(init=False)

    def __post_init__(self) -> None:
        camera = self.world.camera(self.name, unlock="device")
        self.identity = camera.identity
        self.keys = camera.keystore.keys

    @property
    def source(self) -> str:
        return f"/{AGENCY}/{self.name}"

    def topic(self, kind: str = "match") -> str:
        return f"{PREFIX}/{AGENCY}/{self.name}/{kind}"

    def new_id(self) -> str:
        self._raised += 1
        seed = f"{self.name}/{self._raised}".encode()[-10:].rjust(10, b"\0")
        return new_ulid(wall_s=self.world.now + self._raised / 1000, randomness=seed)

    def alert(self, **changes: Any) -> Alert:
        ref = {"entry": "E-1", "subject": "S-1", "authorisation": "A-1", "priority": 1}
        ref |= {key: changes.pop(key) for key in tuple(changes) if key in ref}
        now = Wall(self.world.now)
        first = an_alert(id=self.new_id(), raised_at=now, first_seen=now, last_seen=now)
        return replace(first, ref=EntryRef(**ref), **changes)

    def event(self, alert: Alert | None = None, *, evidence: str | None = JPEG) -> Any:
        context = replace(CONTEXT, agency=AGENCY, device=self.name)
        event = match_event(alert or self.alert(), context)
        shown = Evidence(data=evidence) if evidence else None
        return event.model_copy(update={"data": event.data.model_copy(update={"evidence": shown})})

    def sealed(self, event: Any = None, *, historical: bool = False, **keys: Any) -> bytes:
        """What the camera sends for an event."""
        event = event or self.event()
        alert_key = keys.get("alert_key", self.identity.alert_key)
        stored = seal_event(event, alert_key, keys.get("signer", self.keys))
        entry = OutboxEntry(event.id, "match", stored, 0, Wall(self.world.now))
        return sealed_payload(entry, historical)

    def gap(self, **changes: Any) -> GapEvent:
        data = {
            "first": "2027-01-15T08:00:00.000Z",
            "last": "2027-01-15T08:05:00.000Z",
            "events": 3,
            "by_reason": {"disk_full": 3},
            "exact": True,
            "test": True,
        }
        tree = {"id": self.new_id(), "source": self.source, "time": data["last"], "data": data}
        return GapEvent.model_validate(tree | changes)

    def state(self, *, session: int = 1, online: bool = True) -> bytes:
        tree = {"schema": "bodycam.state.v1", "session": session, "online": online}
        tree |= {"state": "armed", "reason": "", "version": "1"}
        return json.dumps(tree).encode()

    def drill(self) -> Alert:
        """A test alert."""
        watchlist = WatchlistRef(id="L-0", version=1)
        return drill_alert(self.new_id(), "A-1", watchlist, now=Wall(self.world.now))

    def health(self, *, every_s: float = 60.0) -> bytes:
        tree = json.loads(examples()["health.json"])
        tree |= {"every_s": every_s, "outbox": {"waiting": 2, "parked": 0, "given_up": 0}}
        return json.dumps(tree).encode()

    def message(self, payload: bytes | None = None, kind: str = "match") -> Incoming:
        return Incoming(self.topic(kind), self.sealed() if payload is None else payload)


@dataclass
class HubStation:
    """The event side of a world's hub, open for the test."""

    world: HubWorld
    station: Station
    inbox: Inbox

    def take(self, *messages: Incoming) -> Taken:
        return self.inbox.take(messages, now=self.world.now)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.station.database.read(sql, *values)


@contextmanager
def hub_station(world: HubWorld) -> Iterator[HubStation]:
    with open_station(world.context()) as station:
        yield HubStation(world, station, station.inbox(PREFIX))


def with_list(alert: Alert, list_id: str) -> Alert:
    return replace(alert, watchlist=WatchlistRef(id=list_id, version=1))
