"""A paho-mqtt 2 client for one connection, on a socket of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.adapters.mqtt_rules import MAX_PACKET, MqttSettings
from agent.adapters.mqtt_socket import PacketSocket
from agent.adapters.mqtt_tls import read_password

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike

_UNACKNOWLEDGED: Final = 20
"""Messages to the device that may be under way at once (MQTT 5: receive maximum)."""


class BrokerClient(Client):
    """paho without its own reconnecting, queueing, acknowledging and connecting.

    Given an `on_socket_register_write`, paho only queues what is published and wakes the network
    loop: two threads never write to the socket.

    Args:
        settings: see `MqttSettings`.
        protocol: MQTTv5 or MQTTv311.
        will: retained state message that the broker publishes when the connection dies.
        make_socket: connects.

    Raises:
        TroubleError: the password cannot be read.
    """

    def __init__(
        self,
        settings: MqttSettings,
        protocol: MQTTProtocolVersion,
        *,
        will: bytes,
        make_socket: Callable[[], PacketSocket],
    ) -> None:
        self._make_socket = make_socket
        self._settings = settings
        self._modern = protocol == MQTTProtocolVersion.MQTTv5
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            protocol=protocol,
            clean_session=None if self._modern else False,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self.max_inflight_messages_set(0)  # the window is kept by the connection; 0: none in paho
        self.will_set(f"{settings.topics}/state", will, qos=1, retain=True)
        if settings.username:
            self.username_pw_set(settings.username, read_password(settings))
        self.on_socket_register_write = _queue_only

    def begin(self) -> None:
        """Connect, and send CONNECT at the next turn of the loop.

        Raises:
            TroubleError, OSError: see `agent.adapters.mqtt_tls.dial`.
        """
        settings = self._settings
        options: dict[str, Any] = {}
        if self._modern:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = settings.session_expiry_s
            properties.ReceiveMaximum = _UNACKNOWLEDGED
            properties.MaximumPacketSize = MAX_PACKET
            options = {"clean_start": False, "properties": properties}
        self.connect(settings.host, settings.port, settings.keepalive_s, **options)

    def expiring(self, expiry_s: int | None) -> Properties | None:
        """Properties of a publish that the broker is to drop when it is that old, s."""
        if not self._modern or expiry_s is None:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.MessageExpiryInterval = expiry_s
        return properties

    def forget_socket_maker(self) -> None:
        """Let go of who made the sockets, so that nothing refers to itself in a circle."""
        del self._make_socket

    def _create_socket(self) -> SocketLike:
        """In place of paho's, which would hand it bytes without a filter."""
        return self._make_socket()


def _queue_only(_client: Client, _data: Any, _socket: Any) -> None:
    """Its presence alone makes paho leave writing to the network loop."""
