"""The socket of `review --html`: on the loopback only, one request at a time."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import TCPServer
from typing import Final
from urllib.parse import urlsplit

from agent.errors import UnavailableError
from agent.hub.files import why
from agent.hub.review_site import MAX_FORM, Answer, Request, ReviewSite

LOOPBACK: Final = "127.0.0.1"
_PATIENCE_S: Final = 2.0


class _Handler(BaseHTTPRequestHandler):
    """Hands requests to the site. A connection that says nothing is closed soon: it would keep
    all others waiting.
    """

    server: ReviewServer
    timeout = _PATIENCE_S
    server_version = "bodycam-hub"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_FORM:
            self.send_error(413)
            return
        self._answer(self.rfile.read(int(length)))

    def log_message(self, *_: object) -> None:
        """Addresses of pages are nobody's business."""

    def _answer(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, parts.path, parts.query, headers, body)
        self._send(self.server.site.answer(request))

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.all_headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)


class ReviewServer(HTTPServer):
    """Listens on the loopback.

    Args:
        port: 0 takes a free one.

    Attributes:
        site: to be set before serving.

    Raises:
        UnavailableError: the port is taken.
    """

    site: ReviewSite

    def __init__(self, port: int) -> None:
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            raise UnavailableError(f"{LOOPBACK}:{port}: {why(error)}; choose --port") from None

    def server_bind(self) -> None:
        """Without asking a name server who we are."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.server_address[1]

    @property
    def hosts(self) -> tuple[str, ...]:
        """What a browser may call us."""
        port = self.server_address[1]
        return (f"{LOOPBACK}:{port}", f"localhost:{port}")

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that hangs up is not worth a traceback."""
