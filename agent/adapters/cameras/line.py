"""A TCP or TLS connection that another thread may cut, whatever it is waiting for."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import threading
from contextlib import suppress


class Line:
    """One connection after another, by one thread; `cut` is for any.

    Args:
        host, port: where to.
        timeout_s: patience for each step, s.
        trust: for TLS; None: plain.
    """

    def __init__(
        self, host: str, port: int, timeout_s: float, trust: ssl.SSLContext | None
    ) -> None:
        self._host, self._port, self._timeout_s = host, port, timeout_s
        self._trust = trust
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cut = False

    def connect(self) -> socket.socket:
        """Try one address after another.

        Raises:
            OSError: it cannot be reached, or the line was cut. A name is looked up to the end.
        """
        problem: OSError | None = None
        found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in found:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(self._timeout_s)
                self._hold(sock)
                sock.connect(address)
                return sock if self._trust is None else self._secured(sock, self._trust)
            except OSError as error:
                self.let_go()
                sock.close()
                problem = error
                if self._cut:
                    break
        raise problem or OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))

    def let_go(self) -> None:
        """Whoever has the socket closes it; to be called before that."""
        with self._lock:
            self._socket = None

    def cut(self) -> None:
        """Now and for good: who waits for this connection gets an error or its end."""
        with self._lock:
            self._cut = True
            if self._socket is not None:
                with suppress(OSError):
                    # not SSLSocket's, which takes the reading thread's state away under it
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _hold(self, sock: socket.socket) -> None:
        with self._lock:
            if self._cut:
                raise OSError(errno.ESHUTDOWN, "given up")
            self._socket = sock

    def _secured(self, sock: socket.socket, trust: ssl.SSLContext) -> ssl.SSLSocket:
        secured = trust.wrap_socket(sock, server_hostname=self._host, do_handshake_on_connect=False)
        try:
            self._hold(secured)
            secured.do_handshake()
        except OSError:
            self.let_go()
            secured.close()
            raise
        return secured
