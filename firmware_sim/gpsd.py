"""A gpsd: its JSON protocol over TCP (gpsd.io/gpsd_json.html), see agent/docs/device-interfaces.md.

Understands `?VERSION;`, `?DEVICES;`, `?WATCH={…};`, `?WATCH;` and `?POLL;`. Whoever watches is sent
TPV and SKY with every `publish`; a client that reads too slowly loses reports, not the server.
"""

from __future__ import annotations

import json
import re
import socket
import socketserver
import struct
import threading
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from firmware_sim.errors import Exit, SimError
from firmware_sim.gps import GpsReport

DEVICE = "/dev/ttySIM0"
_PROTOCOL = {"release": "3.25", "rev": "bodycam-sim", "proto_major": 3, "proto_minor": 15}
_LONGEST = 4096
_SEND_S = 0.5
_COMMAND = re.compile(r"\s*\?([A-Z]+)(?:=(\{.*?\}))?;", re.DOTALL)
Tree = dict[str, Any]


class GpsdServer:
    """Listens until closed.

    Args:
        host, port: where; port 0: a free one.

    Raises:
        SimError: the address cannot be taken.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        try:
            self._server = _Server((host, port), _Client)
        except OSError as error:
            raise SimError(f"gpsd at {host}:{port}: {error.strerror}", Exit.UNAVAILABLE) from None
        self.host, self.port = host, int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="gpsd", daemon=True
        )
        self._thread.start()

    @property
    def watchers(self) -> int:
        """How many clients are sent reports."""
        with self._server.lock:
            return sum(client.watching for client in self._server.clients)

    def publish(self, report: GpsReport) -> None:
        """The receiver says so now."""
        with self._server.lock:
            self._server.newest = report
            clients = list(self._server.clients)
        for client in clients:
            if client.watching:
                client.say(tpv(report), sky(report))

    def drop(self) -> None:
        """Cut every client off, as a gpsd does that is restarted."""
        with self._server.lock:
            clients = list(self._server.clients)
        for client in clients:
            with suppress(OSError):
                client.connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.drop()
        self._thread.join()


def tpv(report: GpsReport) -> Tree:
    """Time, position, velocity; without a fix only that there is none."""
    tree: Tree = {"class": "TPV", "device": DEVICE, "mode": 1, "time": _iso(report.wall)}
    if report.place is None:
        return tree
    lat, lon = report.place
    return tree | {
        "mode": 3, "status": 1, "lat": round(lat, 9), "lon": round(lon, 9), "altHAE": 50.0,
        "eph": report.accuracy_m, "speed": round(report.speed_m_s, 3),
        "track": round(report.track_deg, 3),
    }  # fmt: skip


def sky(report: GpsReport) -> Tree:
    """The satellites: how many are seen and used."""
    satellites = [
        {"PRN": number + 1, "el": 45.0, "az": 30.0 * number, "ss": 40.0, "used": True}
        for number in range(report.used)
    ]
    return {
        "class": "SKY", "device": DEVICE, "time": _iso(report.wall), "nSat": report.used,
        "uSat": report.used, "satellites": satellites,
    }  # fmt: skip


def _iso(wall: float) -> str:
    moment = datetime.fromtimestamp(wall, tz=timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: type[_Client]) -> None:
        self.lock = threading.Lock()
        self.clients: set[_Client] = set()
        self.newest: GpsReport | None = None
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def handle_error(self, _request: Any, _client: Any) -> None:
        """A client that goes away is no news."""


class _Client(socketserver.BaseRequestHandler):
    server: _Server

    def setup(self) -> None:
        self.connection: socket.socket = self.request
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(_SEND_S))
        self.watching = False
        self._sending = threading.Lock()
        with self.server.lock:
            self.server.clients.add(self)

    def handle(self) -> None:
        self.say({"class": "VERSION", **_PROTOCOL})
        buffer = ""
        while data := self.connection.recv(_LONGEST):
            buffer = (buffer + data.decode("ascii", "replace"))[-_LONGEST:]
            while found := _COMMAND.search(buffer):
                buffer = buffer[found.end() :]
                self._obey(found.group(1), found.group(2))

    def finish(self) -> None:
        with self.server.lock:
            self.server.clients.discard(self)

    def say(self, *trees: Tree) -> None:
        """Objects, one a line; a client that does not take them within half a second is cut."""
        lines = "".join(json.dumps(tree, separators=(",", ":")) + "\r\n" for tree in trees)
        try:
            with self._sending:
                self.connection.sendall(lines.encode())
        except OSError:
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def _obey(self, name: str, argument: str | None) -> None:
        answers = {
            "VERSION": self._version, "DEVICES": self._devices, "WATCH": self._watch,
            "POLL": self._poll,
        }  # fmt: skip
        answer = answers.get(name)
        if answer is None:
            self.say({"class": "ERROR", "message": f"Unrecognized request '{name}'"})
            return
        try:
            answer({} if argument is None else json.loads(argument))
        except (ValueError, AttributeError):
            self.say({"class": "ERROR", "message": f"Invalid {name}"})

    def _version(self, _argument: Tree) -> None:
        self.say({"class": "VERSION", **_PROTOCOL})

    def _devices(self, _argument: Tree) -> None:
        self.say({"class": "DEVICES", "devices": [_device()]})

    def _watch(self, argument: Tree) -> None:
        if argument:
            self.watching = bool(argument.get("enable", True)) and bool(argument.get("json", True))
        self.say(
            {"class": "DEVICES", "devices": [_device()]},
            {"class": "WATCH", "enable": self.watching, "json": self.watching, "nmea": False},
        )

    def _poll(self, _argument: Tree) -> None:
        newest = self.server.newest
        tpvs, skies = ([], []) if newest is None else ([tpv(newest)], [sky(newest)])
        self.say({"class": "POLL", "active": len(tpvs), "tpv": tpvs, "sky": skies})


def _device() -> Tree:
    return {"class": "DEVICE", "path": DEVICE, "driver": "simulated", "native": 0}


def _timeval(seconds: float) -> bytes:
    """`struct timeval` of setsockopt(2)."""
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
