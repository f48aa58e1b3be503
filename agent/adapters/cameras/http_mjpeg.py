"""A network camera that speaks MJPEG over HTTP: see agent/docs/camera-interface.md."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections import deque

from agent.adapters.cameras.address import HttpAddress
from agent.adapters.cameras.framing import Framing
from agent.adapters.cameras.line import Line
from agent.adapters.images import decode_image
from agent.errors import CameraError, DataError
from agent.ports import Clock
from agent.stages.multipart import MultipartParser, Part, boundary_of, capture_time
from agent.stages.timeline import LIVE, REPLAYED
from agent.values import CaptureCounts, Frame

_CHUNK = 256 * 1024
_KINDS = frozenset({"jpeg"})
_LIVE_BUFFER = 128 * 1024
"""Bytes; the kernel would otherwise keep seconds of old frames when this machine falls behind."""
_MAX_PIXELS = 40_000_000
"""Larger than 8K video; a stream of anything larger is an attack."""


class HttpMjpegCamera:
    """Frames of an MJPEG stream, dated by their X-Timestamp where there is one.

    Args:
        address: where it is.
        stall_s: no frame for so long means that the camera is lost, s.
        clock: dates frames without a stamp, and measures silence.
        live: of several frames that have come, only the newest is decoded; False: all are.
    """

    def __init__(
        self, address: HttpAddress, stall_s: float, clock: Clock, *, live: bool = True
    ) -> None:
        self.live = live
        self._address = address
        self._stall_s = stall_s
        self._clock = clock
        self._framing = Framing(clock, LIVE if live else REPLAYED)
        self._trust = ssl.create_default_context() if address.secure else None
        self._line = Line(address.host, address.port, stall_s, self._trust)
        self._connection: http.client.HTTPConnection | None = None
        self._response: http.client.HTTPResponse | None = None
        self._parser = MultipartParser("")
        self._dropped = 0
        self._over = False
        self._waiting: deque[Part] = deque()

    def open(self) -> None:
        self.close()
        self._connection = self._speaker()
        try:
            self._response = self._ask(self._connection)
            self._parser = MultipartParser(self._boundary(self._response))
        except BaseException:
            self.close()
            raise
        self._dropped, self._over = 0, False
        self._framing.opened()

    def read(self) -> Frame | None:
        while (part := self._next_part()) is not None:
            try:
                image = decode_image(
                    part.body, self._address.name, max_pixels=_MAX_PIXELS, kinds=_KINDS
                )
            except DataError:
                self._framing.corrupt()
                continue
            return self._framing.frame(image, capture_time(part.headers))
        return None

    def skip(self) -> bool:
        if self._next_part() is None:
            return False
        self._framing.skip(1)
        return True

    def counts(self) -> CaptureCounts:
        return self._framing.counts

    def interrupt(self) -> None:
        self._line.cut()

    def close(self) -> None:
        """Hang up; parts that have come but were not read are gone."""
        self._line.let_go()
        for thing in (self._response, self._connection):
            if thing is not None:
                thing.close()
        self._response, self._connection = None, None
        self._parser = MultipartParser("")  # with what it held of the last pictures
        self._waiting.clear()

    def _speaker(self) -> http.client.HTTPConnection:
        """Who speaks over a connected line."""
        where = self._address
        if self._trust is not None:
            return http.client.HTTPSConnection(where.host, where.port, context=self._trust)
        return http.client.HTTPConnection(where.host, where.port)

    def _ask(self, connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        headers = {"Accept": "multipart/x-mixed-replace", "User-Agent": "bodycam-agent"}
        if self._address.authorization:
            headers["Authorization"] = self._address.authorization
        try:
            connection.sock = self._line.connect()
            if self.live:
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _LIVE_BUFFER)
            connection.request("GET", self._address.target, headers=headers)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(_why(error)) from None

    def _boundary(self, response: http.client.HTTPResponse) -> str:
        if response.status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            raise self._lost("refuses us; write user name and password as http://user:word@host")
        if response.status != http.client.OK:
            raise self._lost(f"answers {response.status} {response.reason}; check the path")
        kind = response.headers.get("Content-Type", "")
        boundary = boundary_of(kind)
        if boundary is None:
            raise DataError(
                f"{self._address.name}: answers {kind or 'no type'!r:.80}, "
                "an MJPEG stream (multipart/x-mixed-replace) is needed"
            )
        return boundary

    def _next_part(self) -> Part | None:
        """The next part to decode; in a live stream the newest of those that have come."""
        asked_at = self._clock.monotonic()
        while not self._waiting:
            if self._over or self._parser.ended:
                self.close()
                self._over = True
                return None
            if self._response is None:
                raise self._lost("not open")
            if self._clock.monotonic() - asked_at > self._stall_s:
                raise self._lost(f"no frame for {self._stall_s:g} s")
            self._receive(self._response)
        if self.live:
            self._framing.skip(len(self._waiting) - 1)
            newest = self._waiting[-1]
            self._waiting.clear()
            return newest
        return self._waiting.popleft()

    def _receive(self, response: http.client.HTTPResponse) -> None:
        try:
            data = response.read1(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(_why(error)) from None
        if not data:
            raise self._lost("closed the connection")
        self._waiting.extend(self._parser.feed(data))
        if self._parser.dropped > self._dropped:
            self._framing.corrupt(self._parser.dropped - self._dropped)
            self._dropped = self._parser.dropped

    def _lost(self, why: str) -> CameraError:
        self.close()
        return CameraError(f"{self._address.name}: {why}")


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "silent for too long"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; is the camera on?"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, http.client.HTTPException):
        return f"does not speak HTTP as it should ({type(error).__name__})"
    return f"cannot be reached ({getattr(error, 'strerror', None) or error})"
