"""A camera without eyes: everything of the agent from an alert's commit on, and nothing before it.

Outbox, sealing, delivery rules, MQTT, birth and will are the agent's own. It serves to load a
broker as so many cameras would, before there are so many cameras.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np

from agent import __version__
from agent.adapters.device_keys import DeviceKeys
from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.adapters.sealing_writer import SealedEvents
from agent.app.broker import transport_for
from agent.config import Config
from agent.delivery import DeliveryCore, DeliveryLimits, EventContext, Session
from agent.messages import new_ulid
from agent.policy import FIELD_TEST
from agent.ports import Clock
from agent.ports.log import Log
from agent.runtime.delivery_loop import DeliveryLoop
from agent.values import U8, Alert, EntryRef, FaceMeasure, Wall, WatchlistRef

_MODEL = "0" * 64
_LIST = WatchlistRef("load-test", 1)


class LightDevice:
    """One of many. `raise_alert` may be called from any thread.

    Args:
        config: broker and name.
        folder: for its outbox.
        alert_key: the agency's X25519 public key, 32 bytes; it may have been thrown away.
        clock, log: as everywhere.
    """

    def __init__(
        self, config: Config, folder: Path, alert_key: bytes, *, clock: Clock, log: Log
    ) -> None:
        self._clock = clock
        self._folder = folder
        self._session = Session(1, __version__, FIELD_TEST.test)
        keys = DeviceKeys.new()
        context = EventContext(
            config.device.agency, config.device.id, _MODEL, _MODEL, FIELD_TEST.sha256()
        )
        self._events = SealedEvents(context, alert_key, lambda: keys)
        self._outbox = SqliteOutbox(folder / "outbox.sqlite", clock=clock)
        self._transport = transport_for(
            config,
            birth=self._session.online("armed", "load test", since=clock.wall()),
            will=self._session.will(),
            clock=clock,
            heard_by={},
            log=log,
        )
        limits = DeliveryLimits.of(config.delivery)
        self._delivery = DeliveryLoop(
            self._outbox,
            self._transport,
            DeliveryCore(limits, random.random),
            clock,
            lambda: None,
            finish=self._events.finish,
        )

    def start(self) -> None:
        self._delivery.start()

    @property
    def connected(self) -> bool:
        return self._delivery.status.connected

    def raise_alert(self, evidence: U8 | None) -> str:
        """Commit an alert about nobody, and let it be delivered; its id."""
        now = self._clock.wall()
        alert = _alert(now, evidence)
        self._outbox.put(self._events.match(alert))
        self._delivery.notify(alert.id)
        return alert.id

    def tell_health(self, payload: bytes) -> None:
        self._transport.publish("health", payload)

    def waiting(self) -> int:
        """Events that are not confirmed yet."""
        return self._outbox.depth()

    def latencies_s(self) -> list[float]:
        """From each alert on disk to the broker's word for it, s."""
        return self._delivery.latencies_s()

    def stop(self) -> None:
        self._delivery.stop(self._session.final("load test over", since=self._clock.wall()))
        self._outbox.close()


def evidence_of(size: int, lot: random.Random) -> U8 | None:
    """So many bytes in the place of a picture; None for 0."""
    return np.frombuffer(lot.randbytes(size), np.uint8).copy() if size else None


def _alert(now: Wall, evidence: U8 | None) -> Alert:
    event_id = new_ulid(wall_s=now, randomness=os.urandom(10))
    return Alert(
        id=event_id,
        match=None,
        ref=EntryRef("load-test", "load-test", "load-test"),
        similarity=0.6,
        threshold=0.5,
        margin=0.1,
        shots=3,
        face=FaceMeasure(80.0, 0.8),
        first_seen=Wall(now - 2.0),
        last_seen=now,
        raised_at=now,
        watchlist=_LIST,
        activation=event_id,
        test=True,
        evidence=evidence,
    )
