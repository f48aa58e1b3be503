"""A broker that writes down each publish before it answers, and misbehaves on command.

Just enough of MQTT 3.1.1 and 5 to stand in for any broker: which versions it speaks, what it
answers, whether it answers at all, when it hangs up. In this process, on the loopback.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field

CONNECT, PUBLISH, PINGREQ, DISCONNECT = 1, 3, 12, 14


@dataclass
class Behaviour:
    """How the broker behaves; may be changed at any time.

    Attributes:
        versions: protocol levels it speaks (4 is MQTT 3.1.1); others are hung up on.
        code: PUBACK reason code (MQTT 5 only).
        answers: whether publishes are answered.
        receive_maximum, maximum_packet: limits told in a CONNACK of MQTT 5.
        greeting: bytes sent in place of a CONNACK.
    """

    versions: tuple[int, ...] = (4, 5)
    code: int = 0
    answers: bool = True
    receive_maximum: int | None = None
    maximum_packet: int | None = None
    greeting: bytes | None = None


@dataclass
class Heard:
    """What arrived, over all connections and restarts.

    Attributes:
        levels: protocol level of each CONNECT.
        publishes: (topic, payload), before any answer.
        most_unanswered: most publishes that were open at once, on one connection.
    """

    levels: list[int] = field(default_factory=list)
    publishes: list[tuple[str, bytes]] = field(default_factory=list)
    most_unanswered: int = 0

    def events(self) -> list[bytes]:
        return [payload for topic, payload in self.publishes if topic.endswith("/match")]


class RecordingBroker:
    """Starts listening at once; `go_down` and `come_up` keep the port and what was heard."""

    def __init__(self) -> None:
        self.behaviour = Behaviour()
        self.heard = Heard()
        self.host, self.port = "127.0.0.1", 0
        self._clients: list[socket.socket] = []
        self._unanswered: list[tuple[socket.socket, int, int]] = []
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

    def unanswered(self) -> int:
        return len(self._unanswered)

    def _accept(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                self._clients.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        level = 0
        with client, suppress(OSError, ConnectionError):
            while True:
                kind, flags, body = _read_packet(client)
                if kind == CONNECT:
                    level = body[6]
                    self.heard.levels.append(level)
                    if level not in self.behaviour.versions:
                        return
                    client.sendall(self.behaviour.greeting or self._connack(level))
                elif kind == PUBLISH:
                    self._take(client, level, flags, body)
                elif kind == PINGREQ:
                    client.sendall(b"\xd0\x00")
                elif kind == DISCONNECT:
                    return

    def _connack(self, level: int) -> bytes:
        if level == 4:
            return b"\x20\x02\x00\x00"
        limits = b""
        if self.behaviour.receive_maximum is not None:
            limits += b"\x21" + struct.pack("!H", self.behaviour.receive_maximum)
        if self.behaviour.maximum_packet is not None:
            limits += b"\x27" + struct.pack("!I", self.behaviour.maximum_packet)
        return bytes([0x20, 3 + len(limits), 0, 0, len(limits)]) + limits

    def _take(self, client: socket.socket, level: int, flags: int, body: bytes) -> None:
        (length,) = struct.unpack_from("!H", body)
        topic = body[2 : 2 + length].decode()
        (packet_id,) = struct.unpack_from("!H", body, 2 + length)
        start = 4 + length + (1 if level == 5 else 0)  # no properties are expected
        with self._lock:
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


def _read_packet(client: socket.socket) -> tuple[int, int, bytes]:
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
