"""What one connection publishes: no more open than the broker allows, no faster than is allowed.

For any thread; `answered` for the connection's.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Final

from agent.adapters.mqtt_client import BrokerClient
from agent.adapters.mqtt_limits import BrokerLimits
from agent.adapters.mqtt_rules import MqttSettings, Pace, classify
from agent.ports import Clock, TransportEvents

_HEADER_BYTES: Final = 64
"""More than a publish adds to topic and payload: fixed header, packet id, properties."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something to publish with QoS 1.

    Attributes:
        entry_id: of the event; None for what is not awaited by anybody: state, health, discovery.
        topic: whole.
        payload: bytes.
        expiry_s: the broker drops it when it is that old (MQTT 5), s; None: it keeps it.
        retain: the broker keeps it for those who come later; where it can.
        first: before all that waits here.
    """

    entry_id: str | None
    topic: str
    payload: bytes
    expiry_s: int | None = None
    retain: bool = False
    first: bool = False

    @property
    def size(self) -> int:
        """At least what it takes on the wire, bytes."""
        return len(self.topic.encode()) + len(self.payload) + _HEADER_BYTES


class Outgoing:
    """Window and pace of one connection.

    Args:
        client: publishes.
        settings: see `MqttSettings`.
        events: told how each event fared.
        clock: monotonic time is read.

    Attributes:
        limits: what the broker allows; set when it has said so.
    """

    def __init__(
        self, client: BrokerClient, settings: MqttSettings, events: TransportEvents, clock: Clock
    ) -> None:
        self.limits = BrokerLimits(settings.in_flight)
        self._client = client
        self._events = events
        self._clock = clock
        self._pace = Pace(settings.rate_hz, settings.in_flight, now=clock.monotonic())
        self._lock = threading.Lock()
        self._settled = threading.Condition(self._lock)
        self._ids: set[str] = set()
        self._open = 0
        self._waiting: deque[Message] = deque()
        self._held: dict[int, str | None] = {}
        self._early: dict[int, int] = {}

    def holds(self, entry_id: str) -> bool:
        """Published, or about to be, and not answered."""
        with self._lock:
            return entry_id in self._ids

    def add(self, message: Message) -> None:
        """Publish as soon as may be. Of what nobody awaits, the newest of its topic counts."""
        with self._lock:
            if message.entry_id is None:
                self._forget(message.topic)
            else:
                self._ids.add(message.entry_id)
            if message.first:
                self._waiting.appendleft(message)
            else:
                self._waiting.append(message)
        self.pump()

    def pump(self) -> None:
        """Hand over what window and pace allow."""
        while (message := self._next()) is not None:
            self._hand_over(message)

    def is_waiting(self) -> bool:
        """Something may be due before the broker or anybody here says a word."""
        with self._lock:
            return bool(self._waiting) or self._pace.is_low(now=self._clock.monotonic())

    def room(self, timeout_s: float) -> bool:
        """Let go of what waits here, and wait for a place in the window; whether there is one."""
        with self._settled:
            self._waiting.clear()
            return self._settled.wait_for(lambda: self._open < self.limits.window, timeout_s)

    def answered(self, mid: int, code: int) -> None:
        """The broker acknowledged, with this reason code."""
        with self._lock:
            known = mid in self._held
            entry_id = self._held.pop(mid, None)
            if not known:
                self._early[mid] = code
        if known:
            self._settle(entry_id, code)

    def _forget(self, topic: str) -> None:
        old = [one for one in self._waiting if one.entry_id is None and one.topic == topic]
        for message in old:
            self._waiting.remove(message)

    def _next(self) -> Message | None:
        with self._lock:
            if not self._waiting or self._open >= self.limits.window:
                return None
            if not self._pace.take(now=self._clock.monotonic()):
                return None
            self._open += 1
            return self._waiting.popleft()

    def _hand_over(self, message: Message) -> None:
        if not self._client.is_connected():
            return  # paho would queue it in memory; the next connection asks for it again
        info = self._client.publish(
            message.topic,
            message.payload,
            qos=1,
            retain=message.retain and self.limits.retain,
            properties=self._client.expiring(message.expiry_s),
        )
        with self._lock:  # the answer may have overtaken us
            code = self._early.pop(info.mid, None)
            if code is None:
                self._held[info.mid] = message.entry_id
        if code is not None:
            self._settle(message.entry_id, code)

    def _settle(self, entry_id: str | None, code: int) -> None:
        with self._lock:
            self._ids.discard(entry_id or "")
            self._open -= 1
            self._settled.notify_all()
        if entry_id is not None:
            self._events.result(entry_id, classify(code), f"broker answered 0x{code:02x}")
        self.pump()
