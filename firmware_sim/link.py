"""The network between the camera and somebody else: a TCP link in user space.

It can be slow, jitter, stall as one retransmission time-out stalls it, be cut, be half open, or be
a hotspot that wants somebody to log in first. Two threads for each connection, one a direction;
everything can be changed while it runs. It shapes what passes, byte for byte in order; packets are
not lost, since TCP hides that, but for the time it takes.
"""

from __future__ import annotations

import random
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

Tap = Callable[[bytes], None]
"""Told what passes in one direction."""
_CHUNK = 4096
_BACKLOG_BYTES = 64 * 1024
"""In each direction; then the sender feels it."""
_TURN_S = 0.02
_PORTAL_S = 5.0
_RESET = struct.pack("ii", 1, 0)
_METHODS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"CONNECT ")
_LOGIN = (
    b"HTTP/1.1 302 Found\r\nLocation: http://login.hotspot.example/\r\n"
    b"Content-Type: text/html\r\nContent-Length: 26\r\nConnection: close\r\n\r\n"
    b"<html>Please log in</html>"
)


@dataclass
class Weather:
    """What the link is like now.

    Attributes:
        latency_s: of each direction.
        jitter_s: up to so much more, drawn anew for each piece; order is kept.
        bytes_s: of each direction; 0: no bound.
        stalled: nothing passes; nothing is lost.
        stalled_until: the same up to then, in seconds of time.monotonic.
        refusing: nobody gets a new connection.
        refusing_until: the same up to then.
        portal: new connections reach a hotspot's login page if they speak HTTP, else nobody.
    """

    latency_s: float = 0.0
    jitter_s: float = 0.0
    bytes_s: float = 0.0
    stalled: bool = False
    stalled_until: float = 0.0
    refusing: bool = False
    refusing_until: float = 0.0
    portal: bool = False


class _Pair:
    """One connection, both ends of it."""

    def __init__(self, near: socket.socket, far: socket.socket, taps: tuple[Tap, Tap]) -> None:
        self.ends = (near, far)
        self.taps = taps
        self.swallowing = False
        self.closed = threading.Event()

    def close(self, *, reset: bool) -> None:
        """Both ends; with a reset, the way a lost network tells of itself, if at all."""
        if self.closed.is_set():
            return
        self.closed.set()
        for end in self.ends:
            with suppress(OSError):
                if reset:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                else:
                    end.shutdown(socket.SHUT_RDWR)
            with suppress(OSError):
                end.close()


@dataclass
class _Way:
    """One direction of a connection: what is under way, and when it arrives."""

    lot: random.Random
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)
    free_at: float = 0.0
    last_due: float = 0.0

    @property
    def held(self) -> int:
        return sum(len(data) for _, data in self.waiting)

    def take(self, data: bytes, weather: Weather, now: float) -> None:
        """Bytes enter; they leave after bandwidth, latency and jitter, never before others."""
        start = max(self.free_at, now)
        if weather.bytes_s:
            start += len(data) / weather.bytes_s
        self.free_at = start
        due = start + weather.latency_s + weather.jitter_s * self.lot.random()
        self.last_due = max(self.last_due, due)
        self.waiting.append((self.last_due, data))


class Link:
    """Listens on the loopback, and passes everything on to `to`.

    Args:
        to: host and port.
        port: where to listen; 0: a free one.
        seed: of the jitter.
        tap: called for each new connection; what it returns is told what was read from those who
            connected, and what is about to be passed on to them.

    Attributes:
        weather: to be changed at will.
        cuts: how many connections were cut while they were open.
        bytes: passed so far, from those who connected and to them.
    """

    def __init__(
        self,
        to: tuple[str, int],
        tap: Callable[[], tuple[Tap, Tap]] = lambda: (_deaf, _deaf),
        *,
        port: int = 0,
        seed: int = 0,
    ) -> None:
        self._tap = tap
        self.weather = Weather()
        self.cuts = 0
        self.bytes = [0, 0]
        self._to = to
        self._lot = random.Random(seed)  # noqa: S311 -- weather, no secret
        self._pairs: list[_Pair] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.settimeout(_TURN_S * 5)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="link", daemon=True)]
        self._threads[0].start()

    @property
    def open(self) -> int:
        """Connections that pass something on."""
        return sum(not pair.swallowing for pair in self._living())

    def cut(self, seconds: float = 0.0) -> int:
        """Reset every connection, and refuse new ones for so long; how many there were."""
        if seconds > 0:
            self.weather.refusing_until = time.monotonic() + seconds
        pairs = self._living()
        for pair in pairs:
            pair.close(reset=True)
        self.cuts += len(pairs)
        return len(pairs)

    def stall(self, seconds: float) -> None:
        """Nothing passes for so long, and then all of it: a retransmission time-out."""
        self.weather.stalled_until = time.monotonic() + seconds

    def half_open(self) -> int:
        """From now on every connection that is there swallows what it is given, in silence."""
        pairs = [pair for pair in self._living() if not pair.swallowing]
        for pair in pairs:
            pair.swallowing = True
        return len(pairs)

    def close(self) -> None:
        self._closing.set()
        for pair in self._living():
            pair.close(reset=False)
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _living(self) -> list[_Pair]:
        with self._lock:
            self._pairs = [pair for pair in self._pairs if not pair.closed.is_set()]
            return list(self._pairs)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                near, _ = self._listener.accept()
            except OSError:
                continue
            weather = self.weather
            if weather.refusing or time.monotonic() < weather.refusing_until:
                near.close()
            elif weather.portal:
                self._run(self._log_in, near)
            else:
                self._run(self._join, near)

    def _run(self, what: object, *arguments: object) -> None:
        thread = threading.Thread(target=what, args=arguments, daemon=True)  # type: ignore[arg-type]
        with self._lock:
            self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()

    def _log_in(self, near: socket.socket) -> None:
        """The login page for whoever speaks HTTP in clear; the others are cut off."""
        with suppress(OSError), near:
            near.settimeout(_PORTAL_S)
            if near.recv(_CHUNK).startswith(_METHODS):
                near.sendall(_LOGIN)
                near.shutdown(socket.SHUT_WR)

    def _join(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(self._to, timeout=5)
        except OSError:
            near.close()
            return
        for end in (near, far):
            end.settimeout(None)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = _Pair(near, far, self._tap())
        with self._lock:
            self._pairs.append(pair)
            lots = [random.Random(self._lot.random()) for _ in (0, 1)]  # noqa: S311
        if self._closing.is_set():
            pair.close(reset=False)
        for way, lot in enumerate(lots):
            self._run(self._pump, pair, way, lot)

    def _pump(self, pair: _Pair, number: int, lot: random.Random) -> None:
        source, sink, way = pair.ends[number], pair.ends[1 - number], _Way(lot)
        with suppress(OSError, ValueError):
            while not pair.closed.is_set():
                if way.held < _BACKLOG_BYTES:
                    data = _read(source, self._pause_s(way))
                    if data is None:
                        self._drain(pair, sink, way, number)
                        break
                    if data and not pair.swallowing:
                        if number == 0:
                            pair.taps[0](data)
                        way.take(data, self.weather, time.monotonic())
                else:
                    pair.closed.wait(self._pause_s(way))
                self._pass_on(pair, sink, way, number)
        pair.close(reset=False)

    def _drain(self, pair: _Pair, sink: socket.socket, way: _Way, number: int) -> None:
        """Whoever hung up had said something before: it still arrives."""
        while way.waiting and not pair.closed.is_set() and not pair.swallowing:
            pair.closed.wait(self._pause_s(way))
            self._pass_on(pair, sink, way, number)

    def _pause_s(self, way: _Way) -> float:
        """Until the next piece is due; a moment, when nothing is."""
        if not way.waiting or self._stalled():
            return _TURN_S
        return min(_TURN_S, max(0.0, way.waiting[0][0] - time.monotonic()))

    def _stalled(self) -> bool:
        return self.weather.stalled or time.monotonic() < self.weather.stalled_until

    def _pass_on(self, pair: _Pair, sink: socket.socket, way: _Way, number: int) -> None:
        while way.waiting and not self._stalled() and way.waiting[0][0] <= time.monotonic():
            _, data = way.waiting.popleft()
            if not pair.swallowing:
                if number == 1:
                    pair.taps[1](data)
                sink.sendall(data)
                self.bytes[number] += len(data)


def _read(source: socket.socket, wait_s: float) -> bytes | None:
    """What came, if anything; None at the end."""
    ready, _, _ = select.select([source], [], [], wait_s)
    if not ready:
        return b""
    return source.recv(_CHUNK) or None


def _deaf(_data: bytes) -> None:
    """Of a link that nobody listens to."""
