"""MQTT, version 5, or 3.1.1 with a broker that speaks no 5; always connected when it can be.

Each connection is a fresh paho client. paho keeps un-acknowledged messages in memory and sends
them all again after a reconnect, in its own order; the outbox does that already. What a lost
connection still held is thrown away with it, so nothing is doubled, and nothing is ever given
to a client that is not connected. The session at the broker is kept (no clean start), so that
messages to the device wait there.

paho's own reconnecting has no jitter and cannot change the protocol version. One thread takes
the place of paho's network thread: it connects, runs the network loop, pauses, starts again.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping

from paho.mqtt.enums import MQTTProtocolVersion

from agent.adapters.mqtt_certificates import RENEWED, CertificateWatch
from agent.adapters.mqtt_connection import Connection, Surroundings
from agent.adapters.mqtt_inbox import Inbox, Listener
from agent.adapters.mqtt_outgoing import Message
from agent.adapters.mqtt_rules import MqttSettings, TlsSettings, classify, client_id_for
from agent.adapters.mqtt_trouble import TroubleError
from agent.ports import Clock, TransportEvents
from agent.ports.log import Log
from agent.values.link import LinkHealth

__all__ = [
    "Listener",
    "MqttSettings",
    "MqttTransport",
    "TlsSettings",
    "classify",
    "client_id_for",
]

_STABLE_S = 10.0
"""A connection that lasted so long was a good one: the pauses begin at the first again."""
_PASSING_S = 300
"""The broker keeps what nobody awaits no longer than this for those who are away (MQTT 5), s."""
_FAREWELL_S = 2.0
"""Longest wait for the broker to take the last state message, s."""


class MqttTransport:
    """Implements `agent.ports.Transport`. A broker that cannot be reached is not an error: it is
    reported as `TransportEvents.connected(False, reason)` and tried again.

    Args:
        settings: see `MqttSettings`.
        birth: state message, published and retained at every connect until `publish_state`.
        will: state message that the broker publishes, retained, when the connection dies.
        clock: measures how long a connection lasted.
        chance: uniform numbers in [0, 1), the jitter of the pauses.
        listeners: by the last level of a topic, told the payload of each message to the device;
            see `agent.adapters.mqtt_inbox.Listener`.
        log: told of certificates that end soon, and of listeners that fail.
    """

    def __init__(
        self,
        settings: MqttSettings,
        *,
        birth: bytes,
        will: bytes,
        clock: Clock,
        chance: Callable[[], float],
        listeners: Mapping[str, Listener] | None = None,
        log: Log | None = None,
    ) -> None:
        self._inbox = Inbox(listeners or {}, log)
        self._watch = CertificateWatch(settings.tls, clock, log)
        self._settings = settings
        self._state = birth
        self._retained: dict[str, bytes] = {}
        self._will = will
        self._clock = clock
        self._chance = chance
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._current: Connection | None = None
        self._thread: threading.Thread | None = None
        self._versions = [MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311]
        self._proven = False

    def start(self, events: TransportEvents) -> None:
        self._inbox.start()
        self._thread = threading.Thread(
            target=self._stay_connected, args=(events,), name="mqtt", daemon=True
        )
        self._thread.start()

    def send(
        self, entry_id: str, topic: str, payload: bytes, *, expires_in_s: float | None = None
    ) -> None:
        """Hand over one event. Nothing happens while disconnected:
        the report of the lost connection makes the event due again.

        An id that this connection still holds is one whose acknowledgement is overdue. MQTT
        forbids to send it again on the same connection (MQTT 5, 4.4), so the connection is given
        up, and the event is sent on the next.

        Args:
            entry_id: answers name it.
            topic: the last level.
            payload: bytes.
            expires_in_s: the broker drops what it could not pass on within this time (MQTT 5), s;
                None: it keeps it as long as it likes.
        """
        expiry_s = None if expires_in_s is None else max(1, math.ceil(expires_in_s))
        connection = self._current
        if connection is not None:
            connection.send(entry_id, topic, payload, expiry_s)

    def publish_state(self, payload: bytes) -> None:
        """Publish now when connected, and at every later connect. Retained."""
        with self._lock:
            self._state = payload
            connection = self._current
        if connection is not None:
            connection.say(self._state_of(payload))

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish now when connected, once; not retained."""
        connection = self._current
        if connection is not None:
            whole = f"{self._settings.topics}/{topic}"
            connection.say(Message(None, whole, payload, _PASSING_S))

    def retain(self, topic: str, payload: bytes) -> None:
        """Publish now when connected, and at every later connect. Retained; empty takes away."""
        with self._lock:
            self._retained[topic] = payload
            connection = self._current
        if connection is not None:
            connection.say(Message(None, topic, payload, retain=True))

    def health(self) -> LinkHealth:
        """Certificates and inbound counts, for `ctl status` and the health message."""
        connection, inbox = self._current, self._inbox
        return LinkHealth(
            certificate_days=self._watch.own_days,
            broker_certificate_days=self._watch.broker_days,
            unheard=inbox.names if connection is None else connection.unheard,
            heard=inbox.heard,
            dropped=inbox.dropped,
            oversized=inbox.oversized,
            failed=inbox.failed,
        )

    def stop(self, final_state: bytes | None) -> None:
        """Publish a last state when connected and disconnect in good order. Safe to call twice."""
        self._stopping.set()
        connection = self._current
        if connection is not None:
            connection.leave(final_state, _FAREWELL_S)
        if self._thread is not None:
            self._thread.join(self._settings.connect_timeout_s + _FAREWELL_S)
        self._inbox.stop()

    def _stay_connected(self, events: TransportEvents) -> None:
        failures = 0
        while not self._stopping.is_set():
            began = self._clock.monotonic()
            reason = self._connect_once(events)
            lasted_s = self._clock.monotonic() - began
            failures = 1 if lasted_s >= _STABLE_S or reason == RENEWED else failures + 1
            events.connected(False, f"{self._settings.host}:{self._settings.port}: {reason}")
            self._stopping.wait(self._settings.backoff.pause_s(failures, self._chance()))

    def _connect_once(self, events: TransportEvents) -> str:
        """One connection, in the version that was accepted last, or else the other."""
        reason = "stopped"
        for last, protocol in enumerate(tuple(self._versions)):
            try:
                connection = self._make(protocol, events, last_try=bool(last))
            except TroubleError as trouble:
                return str(trouble)
            reason = connection.run()
            self._current = None
            if connection.accepted:
                self._proven = True
                self._versions.sort(key=lambda version: version != protocol)
            if self._stopping.is_set() or not connection.unsupported:
                break
        return reason

    def _make(
        self, protocol: MQTTProtocolVersion, events: TransportEvents, *, last_try: bool
    ) -> Connection:
        around = Surroundings(
            settings=self._settings,
            will=self._will,
            events=events,
            clock=self._clock,
            inbox=self._inbox,
            watch=self._watch,
            on_up=lambda connection: self._greet(connection, events),
        )
        return Connection(around, protocol, answer_s=self._answer_s(last_try))

    def _answer_s(self, last_try: bool) -> float:
        """Little patience with the first version while none has ever been accepted.

        Some brokers wait for ever for the rest of a CONNECT that they misread.
        """
        timeout_s = self._settings.connect_timeout_s
        return timeout_s if last_try or self._proven else min(self._settings.probe_s, timeout_s)

    def _greet(self, connection: Connection, events: TransportEvents) -> None:
        with self._lock:
            state, retained = self._state, dict(self._retained)
            self._current = connection
        connection.say(self._state_of(state))
        for topic, payload in retained.items():
            connection.say(Message(None, topic, payload, retain=True))
        events.connected(True, "")
        if self._stopping.is_set():
            connection.end("stopped")

    def _state_of(self, payload: bytes) -> Message:
        topic = f"{self._settings.topics}/state"
        return Message(None, topic, payload, retain=True, first=True)
