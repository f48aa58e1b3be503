"""A network camera on loopback that says exactly what it is told to, then hangs up."""

from __future__ import annotations

import socket
import threading
from types import TracebackType

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
    b"Content-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
)


def part(body: bytes, stamp: str | None = None) -> bytes:
    head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n" % len(body)
    if stamp is not None:
        head += b"X-Timestamp: " + stamp.encode() + b"\r\n"
    return head + b"\r\n" + body + b"\r\n"


class HttpCamera:
    """Serves one answer for each connection.

    Args:
        answers: bytes to send, one for each connection in turn.
        silent: keep the connection open after the answer instead of hanging up.
    """

    def __init__(self, *answers: bytes, silent: bool = False) -> None:
        self._answers = list(answers)
        self._silent = silent
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.requests: list[bytes] = []
        self.port = self._socket.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/stream.mjpg"

    def __enter__(self) -> HttpCamera:  # noqa: PYI034 - typing.Self needs Python 3.11
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        for answer in self._answers:
            self._socket.settimeout(5)
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            with peer:
                self.requests.append(self._request(peer))
                try:
                    peer.sendall(answer)
                except OSError:
                    continue
                if self._silent:
                    self._done.wait(30)

    @staticmethod
    def _request(peer: socket.socket) -> bytes:
        """Up to its end, or that of the connection: who wants TLS says no such thing."""
        data = b""
        while not data.endswith(b"\r\n\r\n") and (more := peer.recv(4096)):
            data += more
        return data
