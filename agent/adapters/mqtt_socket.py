"""The socket that paho reads from: packets that no honest broker sends never reach it.

paho collects a packet in memory whatever its length (up to 256 MB), keeps messages of QoS 2 until
their release, and answers what only a client may send. With `PacketFilter` in between, a broker
cannot make the device's memory grow: a message that is too large is skipped over and
acknowledged, so that the broker does not send it again for ever; all else that is wrong ends the
connection with one line.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Final

from agent.adapters.mqtt_rules import MAX_PACKET

_CHUNK: Final = 1 << 14
_PUBLISH: Final = 3
_NAMES: Final = {
    2: "CONNACK",
    _PUBLISH: "PUBLISH",
    4: "PUBACK",
    9: "SUBACK",
    13: "PINGRESP",
    14: "DISCONNECT",
}
"""What a broker sends to a client that subscribes with QoS 1 (MQTT 5, table 2-1)."""
_LENGTH_BYTES: Final = 4
_PINGRESP: Final = b"\xd0\x00"
_MORE: Final = 0x80
_SENDS_IN_VAIN: Final = 50
_A_PACKET: Final = 1 << 16

Oversized = Callable[[int | None], None]
"""Told the packet id of a message that was skipped; None for one of QoS 0."""


class NonsenseError(OSError):
    """The broker breaks the protocol. One line."""


class PacketFilter:
    """Follows the packets in a stream of bytes and lets pass what paho may see.

    Args:
        oversized: see `Oversized`.
        limit: longest packet that passes, without its fixed header, bytes.

    Attributes:
        progress: packets that came whole; of a long one that is skipped, each 64 kB count.
    """

    def __init__(self, oversized: Oversized, limit: int = MAX_PACKET) -> None:
        self.progress = 0
        self._oversized = oversized
        self._limit = limit
        self._header = bytearray()
        self._passing = 0
        self._skipping = 0
        self._head = bytearray()
        self._qos = 0

    def feed(self, data: bytes) -> bytes:
        """What of these bytes is for paho.

        Raises:
            NonsenseError: the connection must end.
        """
        passed = bytearray()
        at = 0
        while at < len(data):
            count = 1
            if self._passing:
                count = min(self._passing, len(data) - at)
                passed += data[at : at + count]
                self._passing -= count
                self.progress += not self._passing
            elif self._skipping:
                count = min(self._skipping, len(data) - at)
                passed += self._skip(data[at : at + count])
            else:
                self._header.append(data[at])
                passed += self._begin()
            at += count
        return bytes(passed)

    def _begin(self) -> bytes:
        """The header once it is complete and the packet may pass."""
        kind, flags = self._header[0] >> 4, self._header[0] & 15
        if len(self._header) == 1:
            _require_sane(kind, flags)
            return b""
        if self._header[-1] & _MORE:
            if len(self._header) > _LENGTH_BYTES:
                raise NonsenseError("the broker sent nonsense: a length of more than four bytes")
            return b""
        header, self._header = bytes(self._header), bytearray()
        length = sum((byte & ~_MORE) << (7 * place) for place, byte in enumerate(header[1:]))
        if length <= self._limit:
            self._passing = length
            self.progress += not length
            return header
        if kind != _PUBLISH:
            raise NonsenseError(f"the broker sent nonsense: a {_NAMES[kind]} of {length} bytes")
        self._skipping, self._qos = length, flags >> 1 & 3
        return b""

    def _skip(self, piece: bytes) -> bytes:
        """Keep topic and packet id, forget the rest, tell at the end. paho gets signs of life in
        place of it: it would take the time for silence.
        """
        used = 0
        while used < len(piece) and (needed := self._head_bytes() - len(self._head)) > 0:
            self._head += piece[used : used + needed]
            used += needed
        before, self._skipping = self._skipping, self._skipping - len(piece)
        signs = before // _A_PACKET - self._skipping // _A_PACKET
        self.progress += signs
        if not self._skipping:
            head, self._head = self._head, bytearray()
            self._oversized(int.from_bytes(head[-2:], "big") if self._qos else None)
        return _PINGRESP * signs

    def _head_bytes(self) -> int:
        """Length of topic and packet id, as far as it is known yet."""
        if len(self._head) < 2:  # noqa: PLR2004 - the length of a string is two bytes
            return 2
        return 2 + int.from_bytes(self._head[:2], "big") + (2 if self._qos else 0)


class PacketSocket:
    """What paho takes for a socket: buffered, filtered, and it remembers what went wrong.

    Args:
        raw: a connected socket, in TLS or in clear; owned from here on.
        oversized: see `Oversized`.

    Attributes:
        raw: the socket beneath.
        trouble: the first failure; None when the broker just closed, or all is well.
    """

    def __init__(self, raw: socket.socket, oversized: Oversized) -> None:
        self.raw = raw
        self.trouble: OSError | None = None
        self._filter = PacketFilter(oversized)
        self._ready = b""
        self._at = 0
        self._failed_sends = 0

    @property
    def progress(self) -> int:
        """See `PacketFilter`."""
        return self._filter.progress

    def recv(self, buffer_size: int) -> bytes:
        """At most so many bytes; none at the end of the connection.

        Raises:
            BlockingIOError: nothing for paho yet.
            OSError: the connection is over.
        """
        if self._at >= len(self._ready) and not self._fill():
            return b""
        piece = self._ready[self._at : self._at + buffer_size]
        self._at += len(piece)
        return piece

    def send(self, buffer: bytes | bytearray) -> int:
        """How many bytes were taken.

        Raises:
            BlockingIOError: none now.
            OSError: the connection is over.
        """
        try:
            return self.raw.send(buffer)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            raise BlockingIOError from None
        except OSError:
            self._failed_sends += 1
            if self._failed_sends > _SENDS_IN_VAIN:
                raise
            raise BlockingIOError from None  # what it said before it hung up is still to be read

    def pending(self) -> int:
        """Bytes that `select` cannot see."""
        inner = self.raw.pending() if isinstance(self.raw, ssl.SSLSocket) else 0
        return len(self._ready) - self._at + inner

    def close(self) -> None:
        """What went wrong is remembered, but not where: its frames hold whoever read here, and
        their sockets, in a circle.
        """
        self.raw.close()
        if self.trouble is not None:
            self.trouble.__traceback__ = None

    def fileno(self) -> int:
        return self.raw.fileno()

    def setblocking(self, flag: bool) -> None:
        self.raw.setblocking(flag)

    def _fill(self) -> bool:
        """Read on; False at the end."""
        try:
            data = self.raw.recv(_CHUNK)
            self._ready, self._at = self._filter.feed(data), 0
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            raise BlockingIOError from None
        except OSError as error:
            self.trouble = self.trouble or error
            raise
        if data and not self._ready:
            raise BlockingIOError
        return bool(data)


def _require_sane(kind: int, flags: int) -> None:
    if kind not in _NAMES:
        raise NonsenseError(f"the broker sent nonsense: a packet of type {kind}")
    if kind == _PUBLISH and flags & 4:
        raise NonsenseError("the broker sent nonsense: a message of QoS 2, never asked for")
    if kind != _PUBLISH and flags:
        raise NonsenseError(f"the broker sent nonsense: a {_NAMES[kind]} with flags {flags}")
