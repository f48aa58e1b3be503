"""A client of gpsd over TCP. Whoever runs it calls `connect`, then `receive` again and again."""

from __future__ import annotations

import socket
import threading
from typing import Final

from agent.errors import UnavailableError
from agent.ports import Clock
from agent.stages.gpsd import WATCH, GpsdParser, NoFix
from agent.stages.position import Belief
from agent.values import Monotonic
from agent.values.place import Fix

_CONNECT_S: Final = 5.0
_WAIT_S: Final = 0.5
_CHUNK: Final = 65_536


class GpsdClient:
    """Implements `agent.ports.places.Places`; `latest` and `status` are for any thread.

    Args:
        host, port: of gpsd.
        silence_s: a server that says nothing for so long counts as lost, s.
        clock: fixes are stamped with its monotonic time at arrival.
    """

    def __init__(self, host: str, port: int, *, silence_s: float, clock: Clock) -> None:
        self._address = (host, port)
        self._silence_s = silence_s
        self._clock = clock
        self._lock = threading.Lock()
        self._belief = Belief()
        self._parser = GpsdParser()
        self._socket: socket.socket | None = None
        self._heard = Monotonic(0.0)
        self._skipped = 0
        self._says = "not connected"

    def latest(self) -> Fix | None:
        with self._lock:
            return self._belief.fix

    def status(self) -> dict[str, str | float | int | None]:
        """For `ctl status`. Where the device is, is not in it."""
        now = self._clock.monotonic()
        with self._lock:
            fix = self._belief.fix
            return {
                "receiver": self._says,
                "fix_age_s": None if fix is None else round(max(0.0, now - fix.at), 1),
                "accuracy_m": None if fix is None else fix.accuracy_m,
                "leaps": self._belief.leaps,
                "skipped": self._skipped + self._parser.skipped,
            }

    def connect(self) -> None:
        """Reach the server and ask for reports.

        Raises:
            UnavailableError: it cannot be reached.
        """
        self.close()
        try:
            self._socket = socket.create_connection(self._address, timeout=_CONNECT_S)
            self._socket.settimeout(_WAIT_S)
            self._socket.sendall(WATCH)
        except OSError as error:
            self.close()
            raise UnavailableError(
                f"gpsd at {self._where} cannot be reached ({error}); is it running? "
                "see gps.host and gps.port"
            ) from None
        self._heard = self._clock.monotonic()
        with self._lock:
            self._says = "connected"

    def receive(self) -> bool:
        """Take what has come, waiting half a second at most; whether it was a report.

        Raises:
            UnavailableError: the server went away.
        """
        connection = self._socket
        if connection is None:
            raise UnavailableError(f"gpsd at {self._where}: not connected")
        try:
            data = connection.recv(_CHUNK)
        except TimeoutError:
            self._check_silence()
            return False
        except OSError as error:
            raise self._lost(str(error)) from None
        if not data:
            raise self._lost("it closed the connection")
        self._heard = self._clock.monotonic()
        return self._take(data, self._heard)

    def close(self) -> None:
        """The last fix stays, and grows old."""
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()
        with self._lock:
            self._skipped += self._parser.skipped
            self._parser = GpsdParser()
            self._says = "not connected"

    def _take(self, data: bytes, now: Monotonic) -> bool:
        with self._lock:
            reports = list(self._parser.feed(data, now=now))
            for report in reports:
                if isinstance(report, NoFix):
                    self._says = "no fix"
                else:
                    self._says = "fix"
                    self._belief.take(report)
            return bool(reports)

    def _check_silence(self) -> None:
        if self._clock.monotonic() - self._heard > self._silence_s:
            raise self._lost(f"it has said nothing for {self._silence_s:g} s")

    def _lost(self, why: str) -> UnavailableError:
        self.close()
        return UnavailableError(f"gpsd at {self._where} went away: {why}")

    @property
    def _where(self) -> str:
        return f"{self._address[0]}:{self._address[1]}"
