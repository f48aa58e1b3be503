"""Files from a server that is not trusted: bounded in size, in time, and stopped at any moment.

What comes is checked by TUF, whoever sent it; TLS only hides what is asked for. So `http://` is
allowed, and `exposure` says what it gives away. Redirects are not followed: the files lie where
the configuration says. Every failure becomes one of tuf's download errors, with one line that says
which.
"""

from __future__ import annotations

import http.client
import io
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, Final

import urllib3
from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    SlowRetrievalError,
)
from tuf.ngclient import FetcherInterface
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.response import BaseHTTPResponse

from agent.adapters.http_trouble import bad_file, explain
from agent.adapters.watched_sockets import SLICE_S, PlainConnection, TlsConnection, watch_tls
from agent.errors import ConfigError
from agent.ports import Clock
from agent.values import Monotonic

LEAST_RATE: Final = 256
"""Bytes a second. Slower than this for a whole time-out is no link, or a server that drips."""
_CHUNK: Final = 1 << 16
_BURST_S: Final = 0.25
"""With a bandwidth cap, pauses are about so long, s."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class StoppedError(DownloadError):
    """We were told to stop; nothing is wrong."""


class WebPageError(DownloadError):
    """A web page came in place of a file: most likely a network that wants somebody to log in."""


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How to ask.

    Attributes:
        url: of the repository; only files below it are asked for.
        timeout_s: silence of the server gives up.
        bytes_per_s: download at most so fast; 0: as fast as it goes.
        ca_file: certificates of the authorities to trust, PEM, and no others; empty: the system's.
        client_cert: our own certificate, PEM; empty: none.
        client_key: its key, PEM; empty: in the same file.
    """

    url: str
    timeout_s: float = 15.0
    bytes_per_s: float = 0.0
    ca_file: str = ""
    client_cert: str = ""
    client_key: str = ""


class Patience:
    """When to give up on a server: told to stop, silence, or a drip.

    Args:
        timeout_s: longest silence, and the time over which the least rate is measured.
        clock: monotonic time is read.
        stopped: somebody wants us to stop.
    """

    def __init__(self, timeout_s: float, clock: Clock, stopped: Callable[[], bool]) -> None:
        self._timeout_s = timeout_s
        self._clock = clock
        self._stopped = stopped
        self._window: Monotonic | None = None
        self._heard, self._bytes = clock.monotonic(), 0

    def begin(self) -> None:
        """A new request."""
        self._heard, self._window, self._bytes = self._clock.monotonic(), None, 0

    def check(self) -> None:
        """Raises `StoppedError` or `SlowRetrievalError`."""
        if self._stopped():
            raise StoppedError("stopped")
        now = self._clock.monotonic()
        if now - self._heard > self._timeout_s:
            raise SlowRetrievalError(f"the server was silent for {self._timeout_s:g} s")
        if self._window is not None and now - self._window > self._timeout_s:
            if self._bytes < LEAST_RATE * self._timeout_s:
                raise SlowRetrievalError(f"the server sends less than {LEAST_RATE} bytes a second")
            self._window, self._bytes = now, 0

    def received(self, count: int) -> None:
        self._heard = self._clock.monotonic()
        self._window = self._heard if self._window is None else self._window
        self._bytes += count

    def rested(self, seconds: float) -> None:
        """We paused ourselves; that is not the server's fault."""
        self._heard = Monotonic(self._heard + seconds)
        self._window = None if self._window is None else Monotonic(self._window + seconds)


class HttpFetcher(FetcherInterface):
    """Fetches from one server. Not for several threads at once.

    Args:
        settings: see `HttpSettings`.
        clock: monotonic time is read.
        wait: sleeps so many seconds, or until somebody wants us to stop; says whether so.

    Attributes:
        received: bytes of files so far.
        progress: called after every piece.
        last_url: of the latest request.

    Raises:
        ConfigError: the address is none.
        MissingFileError: a certificate cannot be read.
    """

    def __init__(
        self,
        settings: HttpSettings,
        *,
        clock: Clock,
        wait: Callable[[float], bool],
    ) -> None:
        self.received = 0
        self.progress: Callable[[], None] | None = None
        self.last_url = ""
        self._settings = settings
        self._clock = clock
        self._wait = wait
        self._patience = Patience(settings.timeout_s, clock, lambda: wait(0))
        self._free_at = clock.monotonic()
        self._base = settings.url.rstrip("/") + "/"
        self._pool = self._make_pool()

    def close(self) -> None:
        """Hang up."""
        self._pool.close()

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """The whole file, in memory; never a byte more is kept than was asked for.

        Raises:
            DownloadError: one of its family, in one line.
        """
        data = io.BytesIO()
        for piece in self._pieces(url, max_length):
            data.write(piece)
        data.seek(0)
        yield data

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self._pieces(url, _CHUNK)

    def _pieces(self, url: str, most: int) -> Iterator[bytes]:
        self.last_url = url
        self._patience.begin()
        try:
            response = self._ask(url)
            try:
                self._refuse_oddities(response, most)
                yield from self._body(response, most)
            except BaseException:
                response.close()
                raise
            response.release_conn()
        except (HTTPError, OSError, http.client.HTTPException) as error:
            raise DownloadError(f"{self._host}: {explain(error)}") from None

    def _ask(self, url: str) -> BaseHTTPResponse:
        if not url.startswith(self._base):
            raise DownloadError(f"{url}: not below {self._base}")
        path = url[len(self._base) - 1 - len(self._path) :]
        try:
            return self._get(path)
        except urllib3.exceptions.ProtocolError as error:
            if not isinstance(error.args[-1], (ConnectionError, http.client.RemoteDisconnected)):
                raise
            return self._get(path)  # the server hung up between two requests, as it may

    def _get(self, path: str) -> BaseHTTPResponse:
        return self._pool.urlopen(
            "GET",
            path,
            headers={"Accept-Encoding": "identity", "User-Agent": "bodycam-agent"},
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(connect=self._settings.timeout_s, read=SLICE_S),
        )

    def _refuse_oddities(self, response: BaseHTTPResponse, most: int) -> None:
        status = response.status
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            raise WebPageError(
                f"{self._host} redirects elsewhere (HTTP {status}); does the network want a "
                "log-in, or does sync.url lack its last part?"
            )
        if status != HTTPStatus.OK:
            raise DownloadHTTPError(f"{self._host} answers HTTP {status}", status)
        if response.headers.get("Content-Type", "").lower().startswith("text/html"):
            raise WebPageError(
                f"{self._host} answers with a web page; does the network want a log-in?"
            )
        if (response.length_remaining or 0) > most:
            raise _too_long()

    def _body(self, response: BaseHTTPResponse, most: int) -> Iterator[bytes]:
        left = most
        rate = self._settings.bytes_per_s
        chunk = _CHUNK if not rate else max(1024, min(_CHUNK, int(rate * _BURST_S)))
        while piece := response.read1(min(chunk, left + 1)):
            self.received += len(piece)
            if self.progress is not None:
                self.progress()
            left -= len(piece)
            if left < 0:
                raise _too_long()
            yield piece
            if rate:
                self._rest(len(piece) / rate)

    def _rest(self, seconds: float) -> None:
        """Keep to the cap: bytes are paid for after they came, and what was not used is lost."""
        now = self._clock.monotonic()
        self._free_at = Monotonic(max(self._free_at, now) + seconds)
        self._patience.rested(self._free_at - now)
        if self._wait(self._free_at - now):
            raise StoppedError("stopped")

    def _make_pool(self) -> urllib3.HTTPConnectionPool:
        try:
            url = urllib3.util.parse_url(self._base)
        except LocationParseError:
            url = urllib3.util.Url()
        if url.scheme not in ("http", "https") or not url.host:
            problem = "is no http(s) address; write https://server/path"
            raise ConfigError((f"sync.url: {self._settings.url!r} {problem}",))
        self._host, self._path = url.netloc or url.host, (url.path or "/").rstrip("/")
        host, watch = url.host.strip("[]"), {"watch": self._patience}
        if url.scheme == "http":
            pool = urllib3.HTTPConnectionPool(host, url.port, maxsize=1)
            pool.ConnectionCls = type("Watched", (PlainConnection,), watch)
            return pool
        secure = urllib3.HTTPSConnectionPool(host, url.port, maxsize=1, ssl_context=self._tls())
        secure.ConnectionCls = type("Watched", (TlsConnection,), watch)
        return secure

    def _tls(self) -> ssl.SSLContext:
        settings = self._settings
        try:
            context = ssl.create_default_context(cafile=settings.ca_file or None)
        except OSError as error:
            raise bad_file("sync.ca_file", settings.ca_file, error) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.client_cert:
            try:
                context.load_cert_chain(settings.client_cert, settings.client_key or None)
            except OSError as error:
                raise bad_file("sync.client_cert", settings.client_cert, error) from None
        watch_tls(context, self._patience)
        return context


def exposure(url: str) -> str:
    """What an address gives away, for whoever sets it up; empty when nothing."""
    host = urllib3.util.parse_url(url).host or ""
    if not url.startswith("http://") or host.strip("[]") in _LOOPBACK:
        return ""
    return (
        "sync.url is http: nobody can change the list on its way, but everybody on it sees that, "
        "when and how much this device fetches; use https"
    )


def _too_long() -> DownloadLengthMismatchError:
    return DownloadLengthMismatchError("longer than was signed for")
