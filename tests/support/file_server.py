"""A static file server on the loopback that can misbehave in every way that files can."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias
from urllib.parse import unquote


class FileServer(ThreadingHTTPServer):
    """Serves `files`, path to bytes.

    Args:
        tls: for https.

    Attributes:
        files: without the leading slash; may be changed at any time.
        faults: (pattern of paths, what to do instead), the first that fits counts.
        requests: paths asked for, in order.
        done: set when the server stops: faults that wait, wait for this.
    """

    daemon_threads = True
    block_on_close = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.faults: list[tuple[str, Trouble]] = []
        self.requests: list[str] = []
        self.done = threading.Event()
        self.tls = tls
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def finish_request(self, request, client_address) -> None:
        """The handshake belongs to the connection's own thread."""
        if self.tls is not None:
            request.settimeout(5)
            request = self.tls.wrap_socket(request, server_side=True)
        try:
            super().finish_request(request, client_address)
        finally:
            if self.tls is not None:
                request.close()

    def handle_error(self, request, client_address) -> None:
        """A client that hangs up in the middle is what many of the tests are about."""

    def __enter__(self) -> FileServer:  # noqa: PYI034 - typing.Self needs Python 3.11
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.done.set()
        self.shutdown()
        self._thread.join(5)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer
    timeout = 5
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path = unquote(self.path.lstrip("/"))
        self.server.requests.append(path)
        body = self.server.files.get(path)
        for pattern, trouble in self.server.faults:
            if re.search(pattern, path):
                trouble(self, body)
                return
        if body is None:
            self.answer(404, b"no such file")
        else:
            self.answer(200, body)

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def begin(self) -> None:
        """Headers of a body whose length is not said."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Tests read `requests`."""


Trouble: TypeAlias = Callable[[_Handler, "bytes | None"], None]


def status(code: int) -> Trouble:
    return lambda handler, body: handler.answer(code, b"no")


def html(handler: _Handler, body: bytes | None) -> None:
    handler.answer(200, b"<html>log in", Content_Type="text/html; charset=utf-8")


def redirect(handler: _Handler, body: bytes | None) -> None:
    handler.answer(302, b"", Location="http://portal.invalid/login")


def swapped(other: bytes) -> Trouble:
    return lambda handler, body: handler.answer(200, other)


def flipped(handler: _Handler, body: bytes | None) -> None:
    """One bit in the middle is another."""
    data = bytearray(body or b"?")
    data[len(data) // 2] ^= 1
    handler.answer(200, bytes(data))


def longer(handler: _Handler, body: bytes | None) -> None:
    handler.answer(200, (body or b"") + b" ")


def cut(handler: _Handler, body: bytes | None) -> None:
    """Hangs up half-way."""
    data = body or b"??"
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])


def endless(handler: _Handler, body: bytes | None) -> None:
    handler.begin()
    handler.wfile.write(body or b"")
    while not handler.server.done.is_set():
        handler.wfile.write(b" " * 65536)


def silent(handler: _Handler, body: bytes | None) -> None:
    """Takes the request and says nothing."""
    handler.close_connection = True
    handler.server.done.wait(30)


def drip(handler: _Handler, body: bytes | None) -> None:
    """A byte now and then, so that no single wait is long."""
    handler.begin()
    while not handler.server.done.wait(0.01):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def drip_headers(handler: _Handler, body: bytes | None) -> None:
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not handler.server.done.wait(0.01):
        handler.wfile.write(b"a")
        handler.wfile.flush()
