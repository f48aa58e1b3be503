"""Somebody who subscribes to all of a broker's devices and notes when each event came."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Collection
from datetime import datetime
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from firmware_sim.errors import Exit, SimError

_CONNECT_S = 10.0


class Receiver:
    """To be entered. Its clock must be the devices': it is meant for one machine.

    Attributes:
        seen: event id to milliseconds from being raised to being received, the first time.
        again: events received more than once.
        messages, bytes: of every kind.
    """

    def __init__(self, host: str, port: int, topics: str = "bodycam/#") -> None:
        self.seen: dict[str, float] = {}
        self.again = self.messages = self.bytes = 0
        self._topics = topics
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311
        )
        self._client.on_connect = self._connected
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._message
        self._where = (host, port)

    def __enter__(self) -> Receiver:  # noqa: PYI034
        try:
            self._client.connect(*self._where)
        except OSError as error:
            raise SimError(
                f"broker {self._where[0]}:{self._where[1]} cannot be reached ({error})",
                Exit.UNAVAILABLE,
            ) from None
        self._client.loop_start()
        if not self._subscribed.wait(_CONNECT_S):
            raise SimError("the broker lets nobody subscribe", Exit.UNAVAILABLE)
        return self

    def __exit__(self, *error: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def forget_counts(self) -> None:
        """Count messages and bytes from here on."""
        self.messages = self.bytes = 0

    def wait_for(self, events: Collection[str], timeout_s: float) -> None:
        """Until all of them have come, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self.seen.keys() >= set(events), timeout_s)

    def _connected(self, client: mqtt.Client, *_arguments: Any) -> None:
        client.subscribe(self._topics, 1)

    def _message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        now = time.time()
        self.messages += 1
        self.bytes += len(message.payload)
        if not message.topic.endswith("/match"):
            return
        event = json.loads(message.payload)
        with self._changed:
            if event["id"] in self.seen:
                self.again += 1
            else:
                raised = datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
                self.seen[event["id"]] = (now - raised.timestamp()) * 1000
            self._changed.notify_all()
