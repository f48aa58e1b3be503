"""A broker that writes down each publish before it answers, and misbehaves on command.

Just enough of MQTT 3.1.1 and 5 to stand in for any broker: which versions it speaks, what it
answers, whether it answers at all, when it hangs up. In this process, on the loopback.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 12, 14


@dataclass
class Behaviour:
    """How the broker behaves; may be changed at any time.

    Attributes:
        versions: protocol levels it speaks (4 is MQTT 3.1.1); others are hung up on.
        code: PUBACK reason code (MQTT 5 only).
        answers: whether publishes are answered.
        receive_maximum, maximum_packet: limits told in a CONNACK of MQTT 5.
        properties: more properties of it.
        suback: code for each topic that is subscribed to.
        greeting: bytes sent in place of a CONNACK.
    """

    versions: tuple[int, ...] = (4, 5)
    code: int = 0
    answers: bool = True
    receive_maximum: int | None = None
    maximum_packet: int | None = None
    greeting: bytes | None = None
    properties: bytes = b""
    suback: int = 1


@dataclass
class Heard:
    """What arrived, over all connections and restarts.

    Attributes:
        levels: protocol level of each CONNECT.
        publishes: (topic, payload), before any answer.
        most_unanswered: most publishes that were open at once, on one connection.
        properties: of each publish (MQTT 5), without their length.
        connects: body of each CONNECT.
        acknowledged: packet ids that the client acknowledged.
        topics: subscribed to, in the order of the latest SUBSCRIBE.
        goodbyes: how many DISCONNECTs.
    """

    levels: list[int] = field(default_factory=list)
    publishes: list[tuple[str, bytes]] = field(default_factory=list)
    most_unanswered: int = 0
    properties: list[bytes] = field(default_factory=list)
    connects: list[bytes] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)
    goodbyes: int = 0

    def events(self) -> list[bytes]:
        return [payload for topic, payload in self.publishes if topic.endswith("/match")]


class RecordingBroker:
    """Starts listening at once; `go_down` and `come_up` keep the port and what was heard.

    Args:
        tls: of a server; None: in clear. May be replaced at any time.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.behaviour = Behaviour()
        self.heard = Heard()
        self.host, self.port = "127.0.0.1", 0
        self._clients: list[socket.socket] = []
        self._unanswered: list[tuple[socket.socket, int, int]] = []
        self._speaking: dict[socket.socket, int] = {}
        self._lock = threading.Lock()
        self.come_up()

    def come_up(self) -> None:
        self._server = socket.create_server((self.host, self.port))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._server,), daemon=True).start()

    def go_down(self) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.hang_up()

    def hang_up(self) -> None:
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def answer_all(self) -> None:
        """Answer what is open, and everything from now on."""
        with self._lock:
            self.behaviour.answers = True
            held, self._unanswered = self._unanswered, []
        for client, level, packet_id in held:
            self._puback(client, level, packet_id)

    def tell(self, topic: str, payload: bytes, packet_id: int, qos: int = 1) -> None:
        """Send a message to whoever is connected."""
        with self._lock:
            clients = list(self._speaking.items())
        for client, level in clients:
            with suppress(OSError):
                client.sendall(publish(topic, payload, packet_id, level, qos))

    def unanswered(self) -> int:
        return len(self._unanswered)

    def _accept(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                threading.Thread(target=self._welcome, args=(client,), daemon=True).start()

    def _welcome(self, client: socket.socket) -> None:
        with suppress(OSError, ValueError, IndexError, struct.error):  # as brokers do: hang up
            if self.tls is not None:
                client.settimeout(5.0)
                client = self.tls.wrap_socket(client, server_side=True)
                client.settimeout(None)
            self._clients.append(client)
            self._serve(client)
        client.close()

    def _serve(self, client: socket.socket) -> None:
        level = 0
        with client, suppress(OSError, ConnectionError):
            while True:
                kind, flags, body = read_packet(client)
                if kind == CONNECT:
                    level = body[6]
                    self.heard.levels.append(level)
                    self.heard.connects.append(body)
                    if level not in self.behaviour.versions:
                        return
                    client.sendall(self.behaviour.greeting or self._connack(level))
                    with self._lock:
                        self._speaking[client] = level
                elif kind == PUBLISH:
                    self._take(client, level, flags, body)
                elif kind == SUBSCRIBE:
                    client.sendall(self._suback(level, body))
                elif kind == PUBACK:
                    self.heard.acknowledged.append(struct.unpack_from("!H", body)[0])
                elif kind == PINGREQ:
                    client.sendall(b"\xd0\x00")
                elif kind == DISCONNECT:
                    self.heard.goodbyes += 1
                    return

    def _suback(self, level: int, body: bytes) -> bytes:
        at = 2 + (1 if level == 5 else 0)
        topics = []
        while at < len(body):
            (length,) = struct.unpack_from("!H", body, at)
            topics.append(body[at + 2 : at + 2 + length].decode())
            at += 3 + length
        self.heard.topics = topics
        answer = body[:2] + (b"\0" if level == 5 else b"")
        answer += bytes([self.behaviour.suback] * len(topics))
        return bytes([0x90, len(answer)]) + answer

    def _connack(self, level: int) -> bytes:
        if level == 4:
            return b"\x20\x02\x00\x00"
        limits = self.behaviour.properties
        if self.behaviour.receive_maximum is not None:
            limits += b"\x21" + struct.pack("!H", self.behaviour.receive_maximum)
        if self.behaviour.maximum_packet is not None:
            limits += b"\x27" + struct.pack("!I", self.behaviour.maximum_packet)
        return bytes([0x20, 3 + len(limits), 0, 0, len(limits)]) + limits

    def _take(self, client: socket.socket, level: int, flags: int, body: bytes) -> None:
        (length,) = struct.unpack_from("!H", body)
        topic = body[2 : 2 + length].decode()
        (packet_id,) = struct.unpack_from("!H", body, 2 + length)
        start = 4 + length
        properties = b""
        if level == 5:  # never so many that their length would take two bytes
            properties = body[start + 1 : start + 1 + body[start]]
            start += 1 + body[start]
        with self._lock:
            self.heard.properties.append(properties)
            self.heard.publishes.append((topic, body[start:]))
            answers = self.behaviour.answers
            if not answers:
                self._unanswered.append((client, level, packet_id))
                open_here = sum(held[0] is client for held in self._unanswered)
                self.heard.most_unanswered = max(self.heard.most_unanswered, open_here)
        if answers:
            self._puback(client, level, packet_id)

    def _puback(self, client: socket.socket, level: int, packet_id: int) -> None:
        code = bytes([self.behaviour.code, 0]) if level == 5 and self.behaviour.code else b""
        with suppress(OSError):
            client.sendall(bytes([0x40, 2 + len(code)]) + struct.pack("!H", packet_id) + code)


def publish(topic: str, payload: bytes, packet_id: int, level: int, qos: int = 1) -> bytes:
    """A PUBLISH as a broker sends it."""
    name = topic.encode()
    body = struct.pack("!H", len(name)) + name
    body += struct.pack("!H", packet_id) if qos else b""
    body += b"\0" if level == 5 else b""
    return bytes([0x30 | qos << 1]) + remaining_length(len(body) + len(payload)) + body + payload


def remaining_length(length: int) -> bytes:
    """MQTT's variable byte integer."""
    encoded = bytearray()
    while True:
        length, low = length >> 7, length & 127
        encoded.append(low | (128 if length else 0))
        if not length:
            return bytes(encoded)


def read_packet(client: socket.socket) -> tuple[int, int, bytes]:
    first = _exactly(client, 1)[0]
    length = shift = 0
    while True:
        byte = _exactly(client, 1)[0]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return first >> 4, first & 15, _exactly(client, length)


def _exactly(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = client.recv(count - len(data))
        if not chunk:
            raise ConnectionError
        data += chunk
    return data
