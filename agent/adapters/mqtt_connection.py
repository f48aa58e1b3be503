"""One MQTT connection, from CONNECT to its end, on a fresh paho-mqtt 2 client.

The client's network loop runs in the thread that calls `Connection.run`; other threads publish.
Given an `on_socket_register_write`, paho only queues what they publish and wakes that loop: two
threads never write to the socket. Callbacks forward and never raise.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.adapters.mqtt_rules import MqttSettings, classify
from agent.ports import Clock, TransportEvents
from agent.values import SendResult

_SESSION_EXPIRY_S = 86_400
_TURN_S = 0.5
"""Longest sleep of the network loop, and so the delay until it sees that it should end, s."""
_HEADER_BYTES = 64
"""More than a publish adds to topic and payload: fixed header, packet id, properties."""

Listener: TypeAlias = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class _Message:
    entry_id: str | None
    topic: str
    payload: bytes
    retain: bool


class Connection:
    """A single connection; make a new one for the next.

    Args:
        settings: see `MqttSettings`.
        protocol: MQTTv5 or MQTTv311.
        will: retained state message that the broker publishes when the connection dies.
        events: told of results; not of connecting and its end, which are the caller's to tell.
        clock: bounds the wait for the broker's answer.
        answer_s: how long that wait is, s.
        listeners: see `MqttTransport`.
    """

    def __init__(
        self,
        settings: MqttSettings,
        protocol: MQTTProtocolVersion,
        *,
        will: bytes,
        events: TransportEvents,
        clock: Clock,
        answer_s: float,
        listeners: Mapping[str, Listener],
    ) -> None:
        self._answer_s = answer_s
        self._listeners = {f"{settings.topics}/{name}": one for name, one in listeners.items()}
        self._settings = settings
        self._protocol = protocol
        self._events = events
        self._clock = clock
        self._lock = threading.Lock()
        self._reason = ""
        self._over = False
        self._reached = False
        self._was_up = False
        self._window = settings.in_flight
        self._largest = 1 << 28
        self._ids: set[str] = set()
        self._open = 0
        self._waiting: deque[_Message] = deque()
        self._held: dict[int, str | None] = {}
        self._early: dict[int, int] = {}
        self._on_up: Callable[[], None] = _nothing
        self._client = self._make_client(will)

    @property
    def accepted(self) -> bool:
        return self._was_up

    @property
    def unsupported(self) -> bool:
        """The broker was there but did not accept: perhaps it speaks another version.

        It may have said so, hung up, or be waiting for the rest of what it misread.
        """
        return self._reached and not self._was_up

    def run(self, on_up: Callable[[], None]) -> str:
        """Connect and stay until the end; returns why it ended. Blocks.

        Args:
            on_up: called once, from this thread, when the broker has accepted.
        """
        self._on_up = on_up
        try:
            self._connect()
            self._reached = True
            answer_by = self._clock.monotonic() + self._answer_s
            while not self._over and self._client.loop(_TURN_S) == MQTTErrorCode.MQTT_ERR_SUCCESS:
                if not self._was_up and self._clock.monotonic() > answer_by:
                    self.end("the broker does not answer")
        except OSError as error:
            self._reason = error.strerror or str(error) or type(error).__name__
        except Exception as error:  # noqa: BLE001 - a broker may send anything: this connection
            self._reason = f"the broker sent nonsense: {error}"  # ends, the thread does not
        self._close()
        return self._reason or "the broker closed the connection"

    def send(self, entry_id: str, topic: str, payload: bytes) -> None:
        """Publish an event; see `MqttTransport.send` for an id that is still held."""
        size = len(topic.encode()) + len(payload) + _HEADER_BYTES
        with self._lock:
            overdue = entry_id in self._ids
            if size <= self._largest:
                self._ids.add(entry_id)
        if overdue:
            self.end(f"no acknowledgement of {entry_id} in time")
        elif size > self._largest:
            why = f"larger than the {self._largest} bytes that the broker takes"
            self._events.result(entry_id, SendResult.REFUSED, why)
        else:
            self._publish(_Message(entry_id, topic, payload, retain=False))

    def publish_state(self, payload: bytes) -> None:
        self._publish(_Message(None, f"{self._settings.topics}/state", payload, retain=True))

    def leave(self, final_state: bytes | None, timeout_s: float) -> None:
        """Publish last words, wait for them to be taken, and end. From another thread only."""
        if final_state is not None and self._client.is_connected():
            topic = f"{self._settings.topics}/state"
            info = self._client.publish(topic, final_state, qos=1, retain=True)
            if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                info.wait_for_publish(timeout_s)
        self.end("stopped")
        self._client.disconnect()

    def end(self, reason: str) -> None:
        """Make `run` return soon."""
        self._reason = self._reason or reason
        self._over = True

    def _make_client(self, will: bytes) -> Client:
        settings = self._settings
        older = self._protocol != MQTTProtocolVersion.MQTTv5
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            protocol=self._protocol,
            clean_session=False if older else None,
            reconnect_on_failure=False,
        )
        client.connect_timeout = settings.connect_timeout_s
        client.max_inflight_messages_set(0)  # the window is kept here; 0: none in paho
        client.will_set(f"{settings.topics}/state", will, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_socket_register_write = _queue_only
        return client

    def _connect(self) -> None:
        settings = self._settings
        options: dict[str, Any] = {}
        if self._protocol == MQTTProtocolVersion.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = _SESSION_EXPIRY_S
            options = {"clean_start": False, "properties": properties}
        self._client.connect(settings.host, settings.port, settings.keepalive_s, **options)

    def _close(self) -> None:
        """Say goodbye if the broker still listens, and let go of the socket either way.

        The callbacks are cut off so that no cycle of references keeps paho's sockets open until
        the garbage collector comes by.
        """
        self._over = True
        with suppress(Exception):
            self._client.disconnect()
            self._client.loop(0.0)
        socket = self._client.socket()
        if socket is not None:
            socket.close()
        self._client.on_connect = self._client.on_disconnect = self._client.on_publish = None
        self._client.on_message = None
        self._on_up = _nothing

    def _publish(self, message: _Message) -> None:
        with self._lock:
            if self._open >= self._window:
                self._waiting.append(message)
                return
            self._open += 1
        self._hand_over(message)

    def _hand_over(self, message: _Message) -> None:
        if self._over or not self._client.is_connected():
            return  # paho would queue it in memory; the next connection asks for it again
        info = self._client.publish(message.topic, message.payload, qos=1, retain=message.retain)
        with self._lock:  # the answer may have overtaken us
            code = self._early.pop(info.mid, None)
            if code is None:
                self._held[info.mid] = message.entry_id
        if code is not None:
            self._settle(message.entry_id, code)

    def _settle(self, entry_id: str | None, code: int) -> None:
        with self._lock:
            self._ids.discard(entry_id or "")
            following = self._waiting.popleft() if self._waiting else None
            self._open -= following is None
        if entry_id is not None:
            self._events.result(entry_id, classify(code), f"broker answered 0x{code:02x}")
        if following is not None:
            self._hand_over(following)

    def _on_publish(
        self, _client: Client, _data: Any, mid: int, code: ReasonCode, _properties: Properties
    ) -> None:
        with self._lock:
            known = mid in self._held
            entry_id = self._held.pop(mid, None)
            if not known:
                self._early[mid] = code.value
        if known:
            self._settle(entry_id, code.value)

    def _on_connect(
        self,
        _client: Client,
        _data: Any,
        _flags: ConnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if code.is_failure:
            self.end(f"the broker refused the connection: {code}")
            return
        self._window = min(self._window, getattr(properties, "ReceiveMaximum", self._window))
        self._largest = min(self._largest, getattr(properties, "MaximumPacketSize", self._largest))
        self._was_up = True
        if self._listeners:
            self._client.subscribe([(topic, 1) for topic in self._listeners])
        self._on_up()

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        listener = self._listeners.get(message.topic)
        if listener is not None:
            listener(bytes(message.payload))

    def _on_disconnect(
        self,
        _client: Client,
        _data: Any,
        flags: DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._reason = self._reason or f"the broker closed the connection: {code}"


def _queue_only(_client: Client, _data: Any, _socket: Any) -> None:
    """Its presence alone makes paho leave writing to the network loop."""


def _nothing() -> None: ...
