"""What passes on the wire: how many publishes of the device are open, and what reaches the hub."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

from tests.support.link import Tap
from tests.support.recording_broker import CONNECT, PUBACK, PUBLISH

Copy = tuple[str, bool, float]


class Wire:
    """Follows MQTT on every connection of the device.

    Attributes:
        most: publishes open at once on one connection, one number for each connection.
        publishes: all of them.
        left: each copy of an event, when it left: (id, historical, monotonic seconds).
    """

    def __init__(self) -> None:
        self.left: list[Copy] = []
        self.most: list[int] = []
        self.publishes = 0
        self._lock = threading.Lock()

    def tap(self) -> tuple[Tap, Tap]:
        """For a new connection: what the device says, and what it is told."""
        said, told, level = Packets(), Packets(), Level()
        open_now: set[int] = set()
        with self._lock:
            number = len(self.most)
            self.most.append(0)

        def says(data: bytes) -> None:
            level.follow(data)
            for kind, flags, body in said.read(data):
                if kind == PUBLISH and flags & 0b0110:
                    self._opened(number, open_now, _packet_id(body))
                    self.left += _copies(level.payload(body))

        def hears(data: bytes) -> None:
            for kind, _, body in told.read(data):
                if kind == PUBACK:
                    with self._lock:
                        open_now.discard(int.from_bytes(body[:2], "big"))

        return says, hears

    def _opened(self, number: int, open_now: set[int], packet_id: int) -> None:
        with self._lock:
            self.publishes += 1
            open_now.add(packet_id)
            self.most[number] = max(self.most[number], len(open_now))


class Reaching:
    """When each copy of an event was handed to a receiver's socket, however late that reads it.

    Attributes:
        copies: (id, historical, monotonic seconds).
    """

    def __init__(self) -> None:
        self.copies: list[Copy] = []

    def tap(self) -> tuple[Tap, Tap]:
        """For a new connection of the receiver."""
        told, level = Packets(), Level()

        def hears(data: bytes) -> None:
            for kind, flags, body in told.read(data):
                if kind == PUBLISH and flags & 0b0110:
                    self.copies += _copies(level.payload(body))

        return level.follow, hears


def _copies(payload: bytes) -> list[Copy]:
    """Now; of nothing that can be live or not: state, health, checkpoints, acknowledgements."""
    try:
        event = json.loads(payload)
        return [(event["id"], event["historical"], time.monotonic())]
    except (ValueError, KeyError, TypeError):
        return []


class Level:
    """Knows which version of MQTT a connection speaks, and with it where a payload begins."""

    def __init__(self) -> None:
        self._said = Packets()
        self._level = 0

    def follow(self, data: bytes) -> None:
        for kind, _, body in self._said.read(data):
            if kind == CONNECT:
                self._level = body[6]

    def payload(self, body: bytes) -> bytes:
        """Of a publish with an answer."""
        at = 4 + int.from_bytes(body[:2], "big")
        if self._level == 5:
            length = shift = 0
            while True:
                byte = body[at]
                at += 1
                length |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            at += length
        return body[at:]


class Packets:
    """Cuts a stream into MQTT packets."""

    def __init__(self) -> None:
        self._data = b""

    def read(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Kind, flags and body of each that is whole now."""
        self._data += data
        while (found := self._first()) is not None:
            start, end = found
            first, body = self._data[0], self._data[start:end]
            self._data = self._data[end:]
            yield first >> 4, first & 15, body

    def _first(self) -> tuple[int, int] | None:
        length = shift = 0
        for at, byte in enumerate(self._data[1:5], start=2):
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return (at, at + length) if at + length <= len(self._data) else None
        return None


def _packet_id(body: bytes) -> int:
    at = 2 + int.from_bytes(body[:2], "big")
    return int.from_bytes(body[at : at + 2], "big")
