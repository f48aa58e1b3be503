"""An agency's end on the broker, as small as it can be: opens what devices seal, says that it has
it, and sends commands.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.adapters.checkpoint_events import check_checkpoint
from agent.adapters.sealed_events import OpenEvent, check_event, open_event
from agent.adapters.signing import Signs, signed
from agent.messages.checkpoint import CHECKPOINT_TYPE, CheckpointEvent


class Agency:
    """Acknowledges only while `kind` is set.

    Args:
        device: id.
        device_key: name of its X25519 key.
        sign_key: its Ed25519 public key.
        alerts: opens its events.
        acks, commands: sign what is said to it.
    """

    def __init__(
        self,
        device: str,
        device_key: str,
        sign_key: bytes,
        *,
        alerts: X25519PrivateKey,
        acks: Signs,
        commands: Signs,
    ) -> None:
        self._names = {"agency": "example-pd", "device": device}
        self._device_key = device_key
        self._sign_key = sign_key
        self._alerts = alerts
        self._acks = acks
        self._commands = commands
        self.kind = threading.Event()
        self.heard: list[tuple[str, bytes]] = []
        self.opened: list[OpenEvent] = []
        self.checkpoints: list[CheckpointEvent] = []
        self.counter = 0
        self._ready = threading.Event()
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id="agency", protocol=mqtt.MQTTv311
        )
        self._client.on_connect = lambda client, *_: client.subscribe("bodycam/#", 1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._message

    def say(self, kind: str, message: dict[str, Any], signer: Signs) -> None:
        payload = json.dumps(signed({**self._names, **message}, signer)).encode()
        self._client.publish(self._topic(kind), payload, qos=1)

    def acknowledge(self, *ids: str) -> None:
        time = "2027-01-15T08:00:02.750Z"
        message = {"format": "bodycam.ack.v1", "ids": list(ids), "time": time}
        self.say("ack", message, self._acks)

    def command(self, command: str, *, signer: Signs | None = None, **changes: Any) -> None:
        self.counter += 1
        message = {
            "format": "bodycam.command.v1",
            "device_key": self._device_key,
            "counter": self.counter,
            "not_after": 32_000_000_000,
            "session": None,
            "command": command,
            "arguments": {},
        }
        self.say("command", message | changes, signer or self._commands)

    @property
    def ids(self) -> set[str]:
        return {event.id for event in self.opened}

    def _topic(self, kind: str) -> str:
        return f"bodycam/{self._names['agency']}/{self._names['device']}/{kind}"

    def _message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self.heard.append((message.topic.rpartition("/")[2], message.payload))
        tree = json.loads(message.payload) if message.topic == self._topic("match") else {}
        if tree.get("type") == CHECKPOINT_TYPE:
            checked = check_checkpoint(tree, *self._names.values(), self._sign_key)
            self.checkpoints.append(checked)
            if self.kind.is_set():
                self.acknowledge(checked.id)
        elif message.topic == self._topic("match"):
            arrived = check_event(
                message.payload, self._names["agency"], self._names["device"], self._sign_key
            )
            self.opened.append(open_event(arrived, self._alerts))
            if self.kind.is_set():
                self.acknowledge(arrived.event.id)

    @contextmanager
    def on(self, host: str, port: int) -> Iterator[Agency]:
        self._client.connect(host, port)
        self._client.loop_start()
        assert self._ready.wait(10)
        try:
            yield self
        finally:
            self._client.disconnect()
            self._client.loop_stop()
            socket = self._client.socket()
            if socket is not None:
                socket.close()
