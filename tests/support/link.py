"""A TCP link in user space that can be slow, stall, be cut, or be half open.

Two threads for each connection, one a direction. Everything can be changed while it runs.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

_CHUNK = 4096
_BACKLOG_BYTES = 64 * 1024
"""In each direction; then the sender feels it."""
_TURN_S = 0.02
Tap = Callable[[bytes], None]
_RESET = struct.pack("ii", 1, 0)


@dataclass
class Weather:
    """What the link is like now.

    Attributes:
        latency_s: of each direction.
        bytes_s: of each direction; 0: no bound.
        stalled: nothing passes; nothing is lost.
        refusing: nobody gets a new connection.
    """

    latency_s: float = 0.0
    bytes_s: float = 0.0
    stalled: bool = False
    refusing: bool = False


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
                end.shutdown(socket.SHUT_RDWR) if not reset else None
            with suppress(OSError):
                end.close()


class Link:
    """Listens on a free port of the loopback, and passes everything on to `to`.

    Args:
        to: host and port.
        tap: called for each new connection; what it returns is told what was read from those who
            connected, and what is about to be passed on to them.

    Attributes:
        weather: to be changed at will.
        cuts: how many connections were cut while they were open.
        bytes: passed so far, from those who connected and to them.
    """

    def __init__(
        self, to: tuple[str, int], tap: Callable[[], tuple[Tap, Tap]] = lambda: (_deaf, _deaf)
    ) -> None:
        self._tap = tap
        self.weather = Weather()
        self.cuts = 0
        self.bytes = [0, 0]
        self._to = to
        self._pairs: list[_Pair] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_TURN_S * 5)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def open(self) -> int:
        """Connections that pass something on."""
        return sum(not pair.swallowing for pair in self._living())

    def cut(self) -> int:
        """Reset every connection; how many there were."""
        pairs = self._living()
        for pair in pairs:
            pair.close(reset=True)
        self.cuts += len(pairs)
        return len(pairs)

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
            if self.weather.refusing or not self._join(near):
                near.close()

    def _join(self, near: socket.socket) -> bool:
        try:
            far = socket.create_connection(self._to, timeout=5)
        except OSError:
            return False
        pair = _Pair(near, far, self._tap())
        with self._lock:
            self._pairs.append(pair)
        for way in (0, 1):
            thread = threading.Thread(target=self._pump, args=(pair, way), daemon=True)
            self._threads = [one for one in self._threads if one.is_alive()] + [thread]
            thread.start()
        return True

    def _pump(self, pair: _Pair, way: int) -> None:
        source, sink = pair.ends[way], pair.ends[1 - way]
        waiting: deque[tuple[float, bytes]] = deque()
        free_at = time.monotonic()
        try:
            while not pair.closed.is_set():
                if sum(len(data) for _, data in waiting) < _BACKLOG_BYTES:
                    data = self._read(source)
                    if data is None:
                        break
                    if data and not pair.swallowing:
                        if way == 0:
                            pair.taps[0](data)
                        now = time.monotonic()
                        if self.weather.bytes_s:
                            free_at = max(free_at, now) + len(data) / self.weather.bytes_s
                        waiting.append((max(now, free_at) + self.weather.latency_s, data))
                else:
                    pair.closed.wait(_TURN_S)
                self._pass_on(pair, sink, waiting, way)
        except (OSError, ValueError):
            pass
        pair.close(reset=False)

    def _read(self, source: socket.socket) -> bytes | None:
        """What came, if anything; None at the end."""
        ready, _, _ = select.select([source], [], [], _TURN_S)
        if not ready:
            return b""
        return source.recv(_CHUNK) or None

    def _pass_on(
        self, pair: _Pair, sink: socket.socket, waiting: deque[tuple[float, bytes]], way: int
    ) -> None:
        while waiting and not self.weather.stalled and waiting[0][0] <= time.monotonic():
            _, data = waiting.popleft()
            if not pair.swallowing:
                if way == 1:
                    pair.taps[1](data)
                sink.sendall(data)
                self.bytes[way] += len(data)


def _deaf(_data: bytes) -> None:
    """Of a link that nobody listens to."""
