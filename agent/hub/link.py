"""One connection of the hub to the broker: subscribes, hands over what comes, publishes answers.

No thread: whoever holds the link turns its loop. A message is acknowledged to the broker by
`done`, that is when it is on disk; until then the broker keeps it and sends it again. TLS, filter
and reasons are those of the agent's own connection.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion

from agent.adapters.mqtt_client import BrokerClient
from agent.adapters.mqtt_rules import MqttSettings, in_words, may_be_version
from agent.adapters.mqtt_socket import PacketSocket
from agent.adapters.mqtt_tls import dial
from agent.adapters.mqtt_trouble import TroubleError, explain
from agent.errors import UnavailableError
from agent.hub.event_values import Incoming
from agent.ports import Clock

BATCH: Final = 200
"""Messages that are worked off together, at most."""
_TURN_S: Final = 0.05
_GRANTED: Final = 0x80


class LostError(UnavailableError):
    """There is no connection (any more).

    Args:
        line: why.
        other_version: the broker may only not understand this version of MQTT.
    """

    def __init__(self, line: str, *, other_version: bool = False) -> None:
        super().__init__(" ".join(line.split()))
        self.other_version = other_version


class HubLink:
    """A single connection; make a new one for the next.

    Args:
        settings: whose `client_id` the broker knows the session by; `topics` is not used.
        topics: to subscribe to, with QoS 1.
        protocol: MQTTv5 or MQTTv311.
        clock: bounds waits.

    Raises:
        LostError: the password cannot be read.
    """

    def __init__(
        self,
        settings: MqttSettings,
        topics: Sequence[str],
        protocol: MQTTProtocolVersion,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._topics = [(one, 1) for one in topics]
        self._clock = clock
        self._up = self._subscribed = False
        self._trouble: LostError | None = None
        self._waiting: list[Incoming] = []
        self._socket: PacketSocket | None = None
        self._open = 0
        try:
            self._client = BrokerClient(
                settings, protocol, will=b"-", make_socket=self._make_socket
            )
        except TroubleError as trouble:
            raise LostError(self._named(str(trouble))) from None
        self._client.will_clear()
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish

    def open(self, answer_s: float) -> None:
        """Connect and subscribe.

        Args:
            answer_s: longest wait for the broker's answers, s.

        Raises:
            LostError: it did not work.
        """
        try:
            self._client.begin()
        except TroubleError as trouble:
            raise LostError(self._named(str(trouble))) from None
        except OSError as error:
            raise LostError(self._named(explain(error, self._settings.tls))) from None
        deadline = self._clock.monotonic() + answer_s
        while not self._subscribed:
            self._turn(_TURN_S)
            if self._clock.monotonic() > deadline:
                line = self._named("the broker does not answer")
                raise LostError(line, other_version=not self._up)

    def take(self, wait_s: float) -> list[Incoming]:
        """What has come, some of it at once; waits at most `wait_s` for the first.

        Raises:
            LostError: the connection is over.
        """
        self._turn(wait_s)
        before = 0
        while before < len(self._waiting) < BATCH:
            before = len(self._waiting)
            self._turn(0.0)
        batch, self._waiting = self._waiting, []
        return batch

    def done(self, batch: Sequence[Incoming]) -> None:
        """These need not come again."""
        for one in batch:
            if one.ticket:
                self._client.ack(one.ticket, 1)

    def publish(self, topic: str, payload: bytes) -> None:
        """With QoS 1; goes out with the next turns."""
        if self._client.publish(topic, payload, qos=1).rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._open += 1

    def flush(self, wait_s: float) -> bool:
        """Wait until the broker has taken what was published. False: not within this time.

        Raises:
            LostError: the connection is over.
        """
        deadline = self._clock.monotonic() + wait_s
        while self._open and self._clock.monotonic() < deadline:
            self._turn(_TURN_S)
        return not self._open

    def forget(self) -> None:
        """Give up the subscriptions, so that the broker keeps nothing for us (MQTT 3.1.1)."""
        self._client.unsubscribe([topic for topic, _ in self._topics])
        self._turn(_TURN_S)

    def close(self) -> None:
        """In good order where that is possible."""
        self._client.on_disconnect = None
        self._client.disconnect()
        self._client.loop(0.0)
        self._client.on_connect = self._client.on_subscribe = None
        self._client.on_message = self._client.on_publish = None
        self._client.forget_socket_maker()
        if self._socket is not None:
            self._socket.close()

    def _turn(self, wait_s: float) -> None:
        if self._socket is not None:
            _acknowledge_at_once(self._socket.raw)
        try:
            code = self._client.loop(wait_s)
        except OSError as error:
            raise LostError(self._named(explain(error, self._settings.tls))) from None
        except Exception as error:  # noqa: BLE001 -- a broker may send anything
            raise LostError(self._named(f"the broker sent nonsense: {error}")) from None
        if self._trouble is not None:
            raise self._trouble
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            trouble = self._socket.trouble if self._socket else None
            why = explain(trouble, self._settings.tls) if trouble else "the broker hung up"
            raise LostError(self._named(why), other_version=not self._up)

    def _make_socket(self) -> PacketSocket:
        self._socket = PacketSocket(dial(self._settings).raw, self._skipped)
        return self._socket

    def _skipped(self, mid: int | None) -> None:
        """Longer than any message that is expected: it must not come again."""
        if mid is not None:
            self._client.ack(mid, 1)

    def _on_connect(self, client: Client, _data: Any, _flags: Any, code: Any, _more: Any) -> None:
        if code.is_failure:
            said = in_words(code.value, str(code))
            line = self._named(f"the broker refused the connection: {said}")
            self._trouble = LostError(line, other_version=may_be_version(code.value))
            return
        self._up = True
        if self._topics:
            client.subscribe(self._topics)
        else:
            self._subscribed = True

    def _on_subscribe(
        self, _client: Client, _data: Any, _mid: int, codes: Sequence[Any], _more: Any
    ) -> None:
        denied = [
            topic
            for (topic, _), code in zip(self._topics, codes, strict=False)
            if code.value >= _GRANTED
        ]
        if denied:
            line = f"the broker's access list denies {', '.join(denied)}"
            self._trouble = LostError(self._named(line))
        self._subscribed = True

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        ticket = message.mid if message.qos else 0
        payload = bytes(message.payload)
        self._waiting.append(Incoming(topic, payload, bool(message.retain), ticket))

    def _on_publish(self, *_: Any) -> None:
        self._open -= 1

    def _on_disconnect(
        self, _client: Client, _data: Any, flags: Any, code: Any, _more: Any
    ) -> None:
        if flags.is_disconnect_packet_from_server and self._trouble is None:
            said = in_words(code.value, str(code))
            self._trouble = LostError(self._named(f"the broker closed the connection: {said}"))

    def _named(self, line: str) -> str:
        return f"{self._settings.host}:{self._settings.port}: {line}"


class Links:
    """Makes connections, and remembers which version of MQTT the broker speaks.

    Args:
        settings, topics, clock: see `HubLink`.
        first: to be tried before the other.
        found: told which one it is.
    """

    def __init__(
        self,
        settings: MqttSettings,
        topics: Sequence[str],
        clock: Clock,
        *,
        first: MQTTProtocolVersion | None = None,
        found: Callable[[MQTTProtocolVersion], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._clock = clock
        self._versions = [MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311]
        self._versions.sort(key=lambda one: one != (first or MQTTProtocolVersion.MQTTv5))
        self._found = found
        self._proven = False

    def connect(self) -> HubLink:
        """A connection that is up and subscribed.

        Raises:
            LostError: none can be had.
        """
        first, second = self._versions
        try:
            return self._try(first, self._patience_s())
        except LostError as error:
            if not error.other_version:
                raise
        return self._try(second, self._settings.connect_timeout_s)

    def _try(self, version: MQTTProtocolVersion, answer_s: float) -> HubLink:
        link = HubLink(self._settings, self._topics, version, self._clock)
        try:
            link.open(answer_s)
        except LostError:
            link.close()
            raise
        if not self._proven:
            self._found(version)
        self._proven = True
        self._versions.sort(key=lambda one: one != version)
        return link

    def _patience_s(self) -> float:
        timeout_s = self._settings.connect_timeout_s
        return timeout_s if self._proven else min(self._settings.probe_s, timeout_s)


def _acknowledge_at_once(raw: socket.socket) -> None:
    """Brokers that collect small packets (Nagle) wait for TCP's acknowledgement of the last one,
    which Linux delays by 40 ms: an alert and its answer would cost that twice. Not sticky.
    """
    option = getattr(socket, "TCP_QUICKACK", None)
    if option is not None:
        with suppress(OSError):
            raw.setsockopt(socket.IPPROTO_TCP, option, 1)


def hub_settings(settings: MqttSettings, client_id: str) -> MqttSettings:
    """The agent's settings of a broker, for a client of the hub."""
    return replace(settings, client_id=client_id, topics="")
