"""A broker that follows a script, mostly a bad one, on one port.

A script is a function of a `Guest`: it may read packets and send any bytes, and hangs up by
returning. The next connection gets whatever script is set then.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from tests.support.recording_broker import (
    CONNECT,
    PINGREQ,
    PUBLISH,
    SUBSCRIBE,
    publish,
    read_packet,
)

Script = Callable[["Guest"], None]


class Guest:
    """One connection, from the broker's side; `topics` are those of the device."""

    topics = "bodycam/field-test/cam-7"

    def __init__(self, client: socket.socket, gone: threading.Event) -> None:
        self.client = client
        self.gone = gone
        self.level = 0
        self._lock = threading.Lock()

    def read(self) -> tuple[int, int, bytes]:
        packet = read_packet(self.client)
        if packet[0] == CONNECT:
            self.level = packet[2][6]
        return packet

    def read_until(self, kind: int) -> bytes:
        while True:
            found, _, body = self.read()
            if found == kind:
                return body

    def send(self, data: bytes) -> None:
        """Whole, though two threads may send."""
        with self._lock:
            self.client.sendall(data)

    def accept(self, code: int = 0, properties: bytes = b"") -> None:
        """Take the CONNECT and answer it."""
        self.read_until(CONNECT)
        self.answer(code, properties)

    def answer(self, code: int, properties: bytes = b"") -> None:
        more = bytes([len(properties)]) + properties if self.level == 5 else b""
        self.send(bytes([0x20, 2 + len(more), 0, code]) + more)

    def drip(self, data: bytes, pause_s: float) -> None:
        """A byte at a time, for as long as anybody is there."""
        for byte in data:
            self.send(bytes([byte]))
            if self.gone.wait(pause_s):
                return

    def serve(self) -> None:
        """Behave, from the CONNACK on."""
        while True:
            kind, _, body = self.read()
            if kind == PUBLISH:
                (length,) = struct.unpack_from("!H", body)
                self.send(b"\x40\x02" + body[2 + length : 4 + length])
            elif kind == SUBSCRIBE:
                self.suback(body, 1)
            elif kind == PINGREQ:
                self.send(b"\xd0\x00")

    def suback(self, body: bytes, code: int, topics: int = 2) -> None:
        answer = body[:2] + (b"\0" if self.level == 5 else b"") + bytes([code] * topics)
        self.send(bytes([0x90, len(answer)]) + answer)

    def command(
        self, payload: bytes, packet_id: int = 1, qos: int = 1, kind: str = "command"
    ) -> bytes:
        return publish(f"{self.topics}/{kind}", payload, packet_id, self.level, qos)


def good(guest: Guest) -> None:
    guest.accept()
    guest.serve()


class HostileBroker:
    """Listens at once.

    Attributes:
        script: for the next connections.
        guests: connections so far.
    """

    def __init__(self, script: Script, guest: type[Guest] = Guest) -> None:
        self.script = script
        self.guest = guest
        self.guests = 0
        self._clients: list[tuple[socket.socket, threading.Event]] = []
        self._threads: list[threading.Thread] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._server.getsockname()
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def become(self, script: Script) -> None:
        """Follow another script from now on; who is there is hung up on."""
        self.script = script
        self.hang_up()

    def hang_up(self) -> None:
        clients, self._clients = self._clients, []
        for client, gone in clients:
            gone.set()
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._acceptor.join(5)
        self.hang_up()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                gone = threading.Event()
                self._clients.append((client, gone))
                self.guests += 1
                thread = threading.Thread(target=self._follow, args=(client, gone), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _follow(self, client: socket.socket, gone: threading.Event) -> None:
        with client, suppress(OSError, ValueError, IndexError, struct.error):
            self.script(self.guest(client, gone))


def wait_for_ever(guest: Guest) -> None:
    """Neither read nor write."""
    guest.gone.wait(60)


def flood(guest: Guest, pieces: bytes, seconds: float) -> int:
    """Send the same bytes again and again while something reads in the background; bytes sent."""
    reader = threading.Thread(target=_read_on, args=(guest,), daemon=True)
    reader.start()
    sent, end = 0, time.monotonic() + seconds
    with suppress(OSError):
        while time.monotonic() < end and not guest.gone.wait(0.001):  # the reader gets a turn
            guest.send(pieces)
            sent += len(pieces)
    return sent


def _read_on(guest: Guest) -> None:
    with suppress(OSError):
        guest.serve()
