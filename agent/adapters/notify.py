"""Telling the service manager: sd_notify(3) over the socket that it names.

Protocol: one datagram of `KEY=value` lines to the AF_UNIX socket in $NOTIFY_SOCKET; a leading
`@` means the abstract name space. Without the variable everything here does nothing.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping


class ServiceNotifier:
    """Speaks to the service manager.

    Args:
        environ: the process environment; `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`
            are read.
        pid: of this process; a watchdog meant for another process is not ours to feed.
    """

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_s = _watchdog_s(environ, pid)

    @property
    def present(self) -> bool:
        """Whether a service manager listens."""
        return self._address is not None

    def ready(self) -> None:
        self._send("READY=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        self._send("STATUS=" + " ".join(text.split())[:200])

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        # A service manager that went away is no reason to stop.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.connect(self._address)
            s.send(message.encode())


def _address(name: str) -> str | None:
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else None


def _watchdog_s(environ: Mapping[str, str], pid: int) -> float | None:
    """Seconds within which the service manager wants to hear from us; None without a watchdog."""
    text = environ.get("WATCHDOG_USEC", "")
    if not text.isdigit() or int(text) == 0:
        return None
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(text) / 1e6
