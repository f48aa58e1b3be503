"""Sockets that never wait for long: whoever reads from one can be stopped, and drips are noticed.

A time-out of the socket alone bounds one silence. A server that sends a byte now and then, in the
headers or in the body, would hold its reader for ever, and a reader in a system call cannot be
told to stop. So every wait is cut into short slices, between which a `Watch` may object.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import ssl
import sys
from typing import Any, Final, Protocol, cast

from urllib3.connection import HTTPConnection, HTTPSConnection

SLICE_S: Final = 0.1
"""Longest wait in a system call, s."""


class Watch(Protocol):
    """Decides whether to go on waiting."""

    def check(self) -> None:
        """Between two waits; raises to give up."""

    def received(self, count: int) -> None:
        """So many bytes came."""


class _Plain(socket.socket):
    watch: Watch

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        while True:
            self.watch.check()
            try:
                count = super().recv_into(buffer, nbytes, flags)
            except TimeoutError:
                continue
            self.watch.received(count)
            return count


class _Tls(ssl.SSLSocket):
    watch: Watch

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        while True:
            self.watch.check()
            try:
                count = super().recv_into(buffer, nbytes, flags)
            except TimeoutError:
                continue
            self.watch.received(count)
            return count

    def do_handshake(self, block: bool = False) -> None:
        try:
            while not self._shaken(block):
                self.watch.check()
        except BaseException:
            self.close()  # who wraps a socket never gets to see one that fails here
            raise

    def _shaken(self, block: bool) -> bool:
        try:
            super().do_handshake(block)
        except TimeoutError:
            return False
        return True


class PlainConnection(HTTPConnection):
    """Of urllib3, on a watched socket. Subclasses say which `watch`."""

    watch: Watch

    def _new_conn(self) -> socket.socket:
        return _dial(self._dns_host, self.port or self.default_port, self.watch)


class TlsConnection(HTTPSConnection):
    """The same with TLS; `watch_tls` prepares the context."""

    watch: Watch

    def _new_conn(self) -> socket.socket:
        return _dial(self._dns_host, self.port or self.default_port, self.watch)


def watch_tls(context: ssl.SSLContext, watch: Watch) -> None:
    """Let the sockets of this context be watched."""
    context.sslsocket_class = type("WatchedTls", (_Tls,), {"watch": watch})


def _dial(host: str, port: int, watch: Watch) -> socket.socket:
    """Connect to the first address that answers.

    Raises:
        OSError: of the last address that did not; `socket.gaierror` when there is none.
    """
    error: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
    for family, kind, number, _, address in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM):
        sock = _Plain(family, kind, number)
        sock.watch = watch
        try:
            _connect(sock, address, watch)
        except OSError as trouble:
            sock.close()
            error = trouble
        except BaseException:
            sock.close()
            raise
        else:
            sys.audit("http.client.connect", None, host, port)
            return cast("socket.socket", sock)
    raise error


def _connect(sock: socket.socket, address: Any, watch: Watch) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    code = sock.connect_ex(address)
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    while code == errno.EINPROGRESS:
        watch.check()
        if poll.poll(SLICE_S * 1000):
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            break
    if code:
        raise OSError(code, os.strerror(code))
    sock.settimeout(SLICE_S)
