"""The camera's face to the network: see agent/docs/camera-interface.md."""

from __future__ import annotations

import json
import socket
import socketserver
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import urlsplit

from firmware_sim.feed import Feed, Viewer
from firmware_sim.player import StreamPart

BOUNDARY = "frame"
_REQUEST_S = 10.0
_LIVE_WRITE_S = 30.0  # a viewer that takes nothing for so long is gone
_LIVE_BUFFER = 128 * 1024  # bytes; a larger one would keep old frames for a slow viewer


class CameraServer(socketserver.ThreadingMixIn, HTTPServer):
    """Serves a feed; one thread for each connection, none of which outlives the process.

    Raises:
        OSError: the address cannot be taken.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, feed: Feed) -> None:
        self.feed = feed
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """As the base class, without asking the name service who we are."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    @property
    def url(self) -> str:
        host = f"[{self.server_name}]" if ":" in self.server_name else self.server_name
        return f"http://{host}:{self.server_port}/stream.mjpg"

    def handle_error(self, _request: Any, _client: Any) -> None:
        """A viewer that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: CameraServer
    protocol_version = "HTTP/1.1"
    server_version = "bodycam-sim"
    sys_version = ""
    timeout = _REQUEST_S

    def do_GET(self) -> None:
        answers = {
            "/stream.mjpg": self._stream,
            "/snapshot.jpg": self._snapshot,
            "/healthz": self._health,
        }
        answer = answers.get(urlsplit(self.path).path)
        if answer is None:
            self.send_error(HTTPStatus.NOT_FOUND, "No such thing", "/stream.mjpg is the stream")
        else:
            answer()

    def log_message(self, _format: str, *_arguments: Any) -> None:
        """Who asks for what is not logged."""

    def _snapshot(self) -> None:
        part = self.server.feed.snapshot()
        if part is None:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, "No picture yet")
        else:
            self._send("image/jpeg", part.jpeg, {"X-Timestamp": part.timestamp})

    def _health(self) -> None:
        self._send("application/json", json.dumps(self.server.feed.state()).encode(), {})

    def _send(self, kind: str, body: bytes, extra: dict[str, str]) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in extra.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.close_connection = True
        viewer = self.server.feed.join()
        if viewer is None:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, "Off, or watched by one in pace max")
            return
        try:
            self._tune()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
            self.send_header("Cache-Control", "no-store")
            self.send_header("Connection", "close")
            self.end_headers()
            self._send_parts(viewer)
        finally:
            viewer.leave()

    def _tune(self) -> None:
        live = not self.server.feed.lockstep
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.settimeout(_LIVE_WRITE_S if live else None)
        if live:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LIVE_BUFFER)

    def _send_parts(self, viewer: Viewer) -> None:
        while (part := viewer.next()) is not None:
            self.wfile.write(_framed(part))
            viewer.sent()
        if not viewer.cut_off:  # stopped in the middle is no proper end
            self.wfile.write(f"--{BOUNDARY}--\r\n".encode())


def _framed(part: StreamPart) -> bytes:
    head = (
        f"--{BOUNDARY}\r\n"
        "Content-Type: image/jpeg\r\n"
        f"Content-Length: {len(part.jpeg)}\r\n"
        f"X-Timestamp: {part.timestamp}\r\n\r\n"
    )
    return head.encode() + part.jpeg + b"\r\n"
