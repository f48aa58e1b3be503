"""An agency's end of its own: verifies, opens, keeps each id once, commits, acknowledges.

`python -m tests.chaos.observer FOLDER HOST PORT [--mute]` reads the keys in `keys.json` of the
folder, keeps what it received in `observer.sqlite` (table `event`, each id once; table `copy`,
every copy), and acknowledges once it is on disk; mute, it only listens. It may be killed at any
moment.
It shares with the hub the formats and the signing of an acknowledgement, nothing else.
"""

from __future__ import annotations

import argparse
import base64
import json
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.adapters.sealed_events import OpenEvent, check_event, open_event
from agent.adapters.signing import KeySigner
from agent.errors import DataError, RefusedError
from agent.hub.saying import ack_messages
from agent.messages import GapEvent, MatchEvent
from tests.chaos.judge import Arrival

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS event (id TEXT PRIMARY KEY, arrival TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS copy (seq INTEGER PRIMARY KEY, arrival TEXT NOT NULL);
"""
_WEEK_S = 604_800
FILE = "observer.sqlite"


class Observer:
    """One run of it.

    Args:
        folder: see the module.
        mute: do not acknowledge.
        version: of MQTT.
    """

    def __init__(self, folder: Path, *, mute: bool, version: MQTTProtocolVersion) -> None:
        keys = json.loads((folder / "keys.json").read_text())
        self._names = (keys["agency"], keys["device"])
        self._sign_key = base64.b64decode(keys["sign_key"])
        self._alerts = X25519PrivateKey.from_private_bytes(base64.b64decode(keys["alerts"]))
        self._acks = KeySigner(Ed25519PrivateKey.from_private_bytes(base64.b64decode(keys["acks"])))
        self._mute = mute
        self._five = version == MQTTProtocolVersion.MQTTv5
        self._db = sqlite3.connect(folder / FILE, isolation_level=None, check_same_thread=False)
        self._db.executescript(_SCHEMA)
        session = {} if self._five else {"clean_session": False}
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id="observer",
            protocol=version,
            manual_ack=True,
            **session,
        )
        self._client.on_connect = self._subscribe
        self._client.on_message = self._message
        self._client.reconnect_delay_set(1, 1)

    def run(self, host: str, port: int) -> None:
        """For ever."""
        options: dict[str, Any] = {"keepalive": 5}
        if self._five:
            expiry = Properties(PacketTypes.CONNECT)
            expiry.SessionExpiryInterval = _WEEK_S
            options |= {"clean_start": False, "properties": expiry}
        self._client.connect_async(host, port, **options)
        self._client.loop_forever(retry_first_connection=True)

    def _subscribe(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe(f"bodycam/{self._names[0]}/+/match", 1)

    def _message(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        at = time.monotonic()
        try:
            arrived = check_event(message.payload, *self._names, self._sign_key)
            event = open_event(arrived, self._alerts)
        except (DataError, RefusedError) as error:
            print(f"observer: refused: {error}", file=sys.stderr, flush=True)
            client.ack(message.mid, message.qos)
            return
        arrival = json.dumps(_arrival(event, arrived.event.historical, at))
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("INSERT OR IGNORE INTO event VALUES (?, ?)", (event.id, arrival))
        self._db.execute("INSERT INTO copy (arrival) VALUES (?)", (arrival,))
        self._db.execute("COMMIT")
        if not self._mute:
            agency, device = self._names
            for ack in ack_messages(agency, device, [event.id], self._acks, now=time.time()):
                topic = f"bodycam/{agency}/{device}/ack"
                client.publish(topic, ack.model_dump_json().encode(), qos=1)
        client.ack(message.mid, message.qos)


def _arrival(event: OpenEvent, historical: bool, at: float) -> dict[str, Any]:
    told: dict[str, Any] = {"id": event.id, "type": event.type, "historical": historical, "at": at}
    told |= {"subject": None, "activation": None}
    if isinstance(event, MatchEvent):
        return told | {"subject": event.subject, "activation": event.data.activation}
    assert isinstance(event, GapEvent)
    return told | {"lost": event.data.events}


def arrivals(folder: Path, table: str) -> list[Arrival]:
    """What it received, in order; empty while there is nothing."""
    if not (folder / FILE).exists():
        return []
    db = sqlite3.connect(folder / FILE, timeout=10)
    try:
        rows = db.execute(f"SELECT arrival FROM {table} ORDER BY rowid").fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        db.close()
    return [Arrival(**json.loads(text)) for (text,) in rows]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--mute", action="store_true")
    parser.add_argument("--old", action="store_true", help="MQTT 3.1.1")
    options = parser.parse_args()
    version = MQTTProtocolVersion.MQTTv311 if options.old else MQTTProtocolVersion.MQTTv5
    Observer(options.folder, mute=options.mute, version=version).run(options.host, options.port)


if __name__ == "__main__":
    main()
