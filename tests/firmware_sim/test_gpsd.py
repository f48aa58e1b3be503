"""The simulated gpsd: its protocol, and the agent's own client before it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from agent.adapters.gpsd import GpsdClient
from agent.errors import UnavailableError
from firmware_sim.errors import SimError
from firmware_sim.gps import GpsReport
from firmware_sim.gpsd import GpsdServer
from tests.support.clocks import FakeClock
from tests.support.receiver import wait_until

HERE = GpsReport(1_800_000_000.25, (47.6062, -122.3321), 4.5, 1.4, 90.0, 9)
LOST = GpsReport(1_800_000_001.0, None, 4.5, 0.0, 0.0, 2)


@pytest.fixture
def server() -> Iterator[GpsdServer]:
    server = GpsdServer()
    yield server
    server.close()


class Client:
    """Somebody with a terminal."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._lines = self._socket.makefile("rb")

    def ask(self, text: str) -> None:
        self._socket.sendall(text.encode())

    def next(self) -> dict[str, Any]:
        return json.loads(self._lines.readline())

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


def listen_on(client: GpsdClient) -> None:
    for _ in range(20):
        client.receive()


def test_the_protocol(server: GpsdServer) -> None:
    client = Client(server.port)
    assert client.next()["class"] == "VERSION"
    client.ask('?WATCH={"enable":true,"json":true};\n')
    assert client.next()["class"] == "DEVICES"
    assert client.next() == {"class": "WATCH", "enable": True, "json": True, "nmea": False}
    server.publish(HERE)
    tpv, sky = client.next(), client.next()
    assert (tpv["class"], tpv["mode"], tpv["time"]) == ("TPV", 3, "2027-01-15T08:00:00.250Z")
    assert (tpv["lat"], tpv["lon"], tpv["eph"]) == (47.6062, -122.3321, 4.5)
    assert (sky["class"], sky["uSat"], len(sky["satellites"])) == ("SKY", 9, 9)
    server.publish(LOST)
    tpv = client.next()
    assert tpv["mode"] == 1
    assert "lat" not in tpv
    client.next()
    client.ask("?POLL;?VERSION;?NONSENSE;?WATCH={not json};")
    assert [client.next()["class"] for _ in range(4)] == ["POLL", "VERSION", "ERROR", "ERROR"]
    client.ask('?WATCH={"enable":false};')
    client.next(), client.next()
    wait_until(lambda: server.watchers == 0, "nobody watches")
    client.close()


def test_the_agents_client_finds_it_loses_it_and_finds_it_again(server: GpsdServer) -> None:
    clock = FakeClock()
    client = GpsdClient("127.0.0.1", server.port, silence_s=10, clock=clock)
    client.connect()
    wait_until(lambda: server.watchers == 1, "the agent watches")
    server.publish(HERE)
    wait_until(lambda: (client.receive() or True) and client.latest() is not None, "a fix")
    fix = client.latest()
    assert fix is not None
    assert (fix.lat, fix.lon, fix.accuracy_m, fix.time) == (47.6062, -122.3321, 4.5, HERE.wall)
    server.publish(LOST)
    wait_until(
        lambda: (client.receive() or True) and client.status()["receiver"] == "no fix", "lost"
    )
    assert client.status()["skipped"] == 0
    server.drop()
    with pytest.raises(UnavailableError, match="went away"):
        listen_on(client)
    client.connect()
    wait_until(lambda: server.watchers == 1, "the agent watches again")
    client.close()


def test_who_reads_nothing_is_cut_and_the_others_go_on(server: GpsdServer) -> None:
    deaf, good = Client(server.port), Client(server.port)
    for client in (deaf, good):
        client.ask('?WATCH={"enable":true,"json":true};')
        assert [client.next()["class"] for _ in range(3)] == ["VERSION", "DEVICES", "WATCH"]
    heard = 0
    for _ in range(20_000):
        server.publish(HERE)
        heard += [good.next()["class"] for _ in range(2)] == ["TPV", "SKY"]
        if server.watchers == 1:
            break
    assert server.watchers == 1
    assert heard > 0
    deaf.close()
    good.close()


def test_a_port_that_is_taken_is_said(server: GpsdServer) -> None:
    with pytest.raises(SimError, match=str(server.port)):
        GpsdServer("127.0.0.1", server.port)
