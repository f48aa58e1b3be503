"""One MQTT connection, from CONNECT to its end, on a fresh paho-mqtt 2 client.

The client's network loop runs in the thread that calls `Connection.run`; other threads publish.
Callbacks forward and never raise. Whatever a broker does ends one connection at most, and costs no
more than a bounded number of turns of the loop a second.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.adapters.mqtt_certificates import CertificateWatch
from agent.adapters.mqtt_client import BrokerClient
from agent.adapters.mqtt_inbox import Inbox
from agent.adapters.mqtt_limits import BrokerLimits, Liveness, Turns
from agent.adapters.mqtt_outgoing import Message, Outgoing
from agent.adapters.mqtt_rules import MqttSettings, in_words, may_be_version
from agent.adapters.mqtt_socket import NonsenseError, PacketSocket
from agent.adapters.mqtt_tls import Dialled, dial
from agent.adapters.mqtt_trouble import TroubleError, explain, explain_silence
from agent.ports import Clock, TransportEvents
from agent.values import Monotonic, SendResult

_TURN_S: Final = 0.5
"""Longest sleep of the network loop, and so the delay until it sees that it should end, s."""
_SHORT_TURN_S: Final = 0.02
"""The same while something waits for the pace, s."""
_KEEPALIVE: Final = 0x8D


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a connection works with.

    Attributes:
        settings: see `MqttSettings`.
        will: retained state message that the broker publishes when the connection dies.
        events: told of results; not of connecting and its end, which are the caller's to tell.
        clock: bounds waits, and reads what certificates say.
        inbox: gets messages to the device.
        watch: of the certificates.
        on_up: called from the connection's thread when the broker has accepted.
    """

    settings: MqttSettings
    will: bytes
    events: TransportEvents
    clock: Clock
    inbox: Inbox
    watch: CertificateWatch
    on_up: Callable[[Connection], None]


class Connection:
    """A single connection; make a new one for the next.

    Args:
        around: see `Surroundings`.
        protocol: MQTTv5 or MQTTv311.
        answer_s: longest wait for the broker's answer to CONNECT, s.

    Attributes:
        unheard: topics to the device (last levels) that the broker has not granted.

    Raises:
        TroubleError: the password cannot be read.
    """

    def __init__(
        self, around: Surroundings, protocol: MQTTProtocolVersion, *, answer_s: float
    ) -> None:
        self._around = around
        self._settings = settings = around.settings
        self._answer_s = answer_s
        self._over = threading.Event()
        self._reason = ""
        self._reached = self._was_up = False
        self._other_version = self._goodbye = True
        self._dialled: Dialled | None = None
        self._socket: PacketSocket | None = None
        self._turns = Turns()
        self._liveness = Liveness()
        self._topics = {f"{settings.topics}/{name}": name for name in around.inbox.names}
        self.unheard = around.inbox.names
        self._client = client = BrokerClient(
            settings, protocol, will=around.will, make_socket=self._make_socket
        )
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        self._outgoing = Outgoing(client, settings, around.events, around.clock)

    @property
    def accepted(self) -> bool:
        return self._was_up

    @property
    def unsupported(self) -> bool:
        """The broker was there but did not accept: perhaps it speaks another version.

        It may have said so, hung up, or be waiting for the rest of what it misread.
        """
        return self._reached and not self._was_up and self._other_version

    def run(self) -> str:
        """Connect and stay until the end; returns why it ended. Blocks."""
        try:
            self._client.begin()
            self._reached = True
            self._loop(self._around.clock.monotonic() + self._answer_s)
        except TroubleError as trouble:
            self._reason = str(trouble)
        except OSError as error:
            self._reason = explain(error, self._settings.tls)
        except Exception as error:  # noqa: BLE001 - a broker may send anything: this connection
            self._reason = self._reason or f"the broker sent nonsense: {error}"  # ends, no more
        reason = self._reason or self._why_over()
        self._close()
        return " ".join(reason.split())

    def send(self, entry_id: str, topic: str, payload: bytes, expiry_s: int | None) -> None:
        """Publish an event; see `MqttTransport.send` for an id that is still held."""
        message = Message(entry_id, f"{self._settings.topics}/{topic}", payload, expiry_s)
        largest = self._outgoing.limits.packet
        if self._outgoing.holds(entry_id):
            self.end(f"no acknowledgement of {entry_id} in time")
        elif message.size > largest:
            why = f"larger than the {largest} bytes that the broker takes"
            self._around.events.result(entry_id, SendResult.REFUSED, why)
        else:
            self._outgoing.add(message)

    def say(self, message: Message) -> None:
        """Publish what nobody awaits; what would have to be kept, not with a broker that keeps
        nothing. The state goes out all the same.
        """
        if self._outgoing.limits.retain or message.first or not message.retain:
            self._outgoing.add(message)

    def leave(self, final_state: bytes | None, timeout_s: float) -> None:
        """Publish last words, wait for them to be taken, and end. From another thread only.

        A broker that takes none gets no goodbye: then it publishes the will in their place.
        """
        if final_state is not None and self._client.is_connected():
            self._goodbye = self._outgoing.room(timeout_s)
        if final_state is not None and self._client.is_connected() and self._goodbye:
            retain = self._outgoing.limits.retain
            topic = f"{self._settings.topics}/state"
            info = self._client.publish(topic, final_state, qos=1, retain=retain)
            if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                info.wait_for_publish(timeout_s)
        self.end("stopped")
        if self._goodbye:
            self._client.disconnect()

    def end(self, reason: str) -> None:
        """Make `run` return soon."""
        self._reason = self._reason or reason
        self._over.set()

    def _make_socket(self) -> PacketSocket:
        self._dialled = dial(self._settings)
        self._around.watch.connected(self._dialled)
        self._socket = PacketSocket(self._dialled.raw, self._skipped)
        return self._socket

    def _loop(self, answer_by: float) -> None:
        while not self._over.is_set():
            if self._client.loop(self._turn_s()) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
            now = self._around.clock.monotonic()
            if self._was_up:
                self._look_after(now)
            elif now > answer_by:
                self.end("the broker does not answer")
            self._outgoing.pump()
            self._over.wait(self._turns.pause_s(now=now))

    def _look_after(self, now: Monotonic) -> None:
        why = self._around.watch.check()
        if why:
            self.end(why)
        progress = self._socket.progress if self._socket else 0
        if self._liveness.is_gone(progress, self._client.keepalive, now=now):
            self.end("the broker does not answer any more")

    def _turn_s(self) -> float:
        return _SHORT_TURN_S if self._was_up and self._outgoing.is_waiting() else _TURN_S

    def _why_over(self) -> str:
        """What ended a connection that nobody has said a word about."""
        trouble = self._socket.trouble if self._socket else None
        tls = self._settings.tls
        if isinstance(trouble, (NonsenseError, ssl.SSLError)):
            self._other_version = not isinstance(trouble, ssl.SSLError)
            return explain(trouble, tls)
        if tls is not None and not self._was_up:
            own_end = self._dialled.own_end if self._dialled else None
            return explain_silence(tls, own_end, self._around.clock.wall())
        return "the broker closed the connection"

    def _close(self) -> None:
        """Say goodbye if the broker still listens, and let go of the socket either way.

        Callbacks and socket are let go so that no cycle of references keeps paho's own sockets
        open until the garbage collector comes by.
        """
        self._over.set()
        if self._goodbye:
            with suppress(Exception):
                self._client.disconnect()
                self._client.loop(0.0)
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._client.on_connect = self._client.on_disconnect = self._client.on_publish = None
        self._client.on_message = self._client.on_subscribe = None
        self._client.forget_socket_maker()

    def _on_connect(
        self,
        _client: Client,
        _data: Any,
        _flags: ConnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if code.is_failure:
            self._other_version = may_be_version(code.value)
            self.end(f"the broker refused the connection: {in_words(code.value, str(code))}")
            return
        limits = BrokerLimits.told(self._settings.in_flight, properties)
        if limits.unfit:
            self._other_version = False
            self.end(limits.unfit)
            return
        self._outgoing.limits = limits
        self._was_up = True
        if self._topics:
            self._client.subscribe([(topic, 1) for topic in self._topics])
        self._around.on_up(self)

    def _on_publish(
        self, _client: Client, _data: Any, mid: int, code: ReasonCode, _properties: Properties
    ) -> None:
        self._outgoing.answered(mid, code.value)

    def _on_subscribe(
        self,
        _client: Client,
        _data: Any,
        _mid: int,
        codes: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        answers = zip(self._topics.values(), codes, strict=False)
        granted = {name for name, code in answers if not code.is_failure}
        self.unheard = tuple(name for name in self.unheard if name not in granted)
        self._around.inbox.refused(self.unheard)

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        acknowledge = partial(self._acknowledge, message.mid if message.qos else None)
        try:
            name = self._topics.get(message.topic, "")
        except UnicodeDecodeError:
            name = ""
        self._around.inbox.put(name, bytes(message.payload), acknowledge)

    def _skipped(self, mid: int | None) -> None:
        self._around.inbox.skipped()
        self._acknowledge(mid)

    def _acknowledge(self, mid: int | None) -> None:
        """From any thread. After the end of the connection nobody waits for it."""
        if mid is not None and not self._over.is_set():
            self._client.ack(mid, 1)

    def _on_disconnect(
        self,
        _client: Client,
        _data: Any,
        flags: DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            said = in_words(code.value, str(code))
            self._reason = self._reason or f"the broker closed the connection: {said}"
        elif code.value == _KEEPALIVE:
            self._reason = self._reason or "the broker does not answer any more"
