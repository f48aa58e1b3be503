"""The client before a server that is good, silent, gone, or says anything."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from agent.adapters.gpsd import GpsdClient
from agent.errors import UnavailableError
from tests.support.clocks import FakeClock

TPV = b'{"class":"TPV","mode":3,"time":"2026-11-27T12:00:00Z","lat":%b,"lon":8.5,"eph":3}\n'


class Server:
    """One connection of a gpsd, by hand."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connection: socket.socket | None = None

    def accept(self) -> bytes:
        self.connection, _ = self._listener.accept()
        self.connection.settimeout(5)
        return self.connection.recv(200)

    def say(self, data: bytes) -> None:
        assert self.connection is not None
        self.connection.sendall(data)

    def hang_up(self) -> None:
        if self.connection is not None:
            self.connection.close()

    def close(self) -> None:
        self.hang_up()
        self._listener.close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def client(server: Server, clock: FakeClock) -> Iterator[GpsdClient]:
    client = GpsdClient("127.0.0.1", server.port, silence_s=10, clock=clock)
    yield client
    client.close()


def test_it_asks_to_watch_and_keeps_the_newest_fix(
    server: Server, client: GpsdClient, clock: FakeClock
) -> None:
    client.connect()
    assert server.accept() == b'?WATCH={"enable":true,"json":true};\n'
    assert client.latest() is None
    server.say(b'{"class":"VERSION","release":"3.25"}\n' + TPV % b"47.0" + TPV % b"47.0001")
    client.receive()
    fix = client.latest()
    assert fix is not None
    assert (fix.lat, fix.at) == (47.0001, clock.now)
    clock.advance(4)
    assert client.status() == {
        "receiver": "fix", "fix_age_s": 4.0, "accuracy_m": 3.0, "leaps": 0, "skipped": 0,
    }  # fmt: skip
    assert "47" not in str(client.status())


def test_only_a_report_counts_as_word_from_the_receiver(server: Server, client: GpsdClient) -> None:
    """gpsd greets also when no receiver is plugged in; something else may greet in its place."""
    client.connect()
    server.accept()
    said = (b'{"class":"VERSION","release":"3.25"}\n', b"HTTP/1.1 400 Bad Request\r\n\r\n")
    for words in said:
        server.say(words)
        assert client.receive() is False
    server.say(b'{"class":"TPV","mode":1}\n')
    assert client.receive() is True
    assert client.receive() is False, "nothing has come"


def test_no_fix_leaves_the_last_one_to_grow_old(server: Server, client: GpsdClient) -> None:
    client.connect()
    server.accept()
    server.say(TPV % b"47.0" + b'{"class":"TPV","mode":1}\n')
    client.receive()
    assert client.latest() is not None
    assert client.status()["receiver"] == "no fix"


def test_a_server_that_goes_away_is_said_and_can_come_back(
    server: Server, client: GpsdClient
) -> None:
    client.connect()
    server.accept()
    server.say(TPV % b"47.0" + b'{"class":"TPV","mode":3,"lat":47.0')
    client.receive()
    server.hang_up()
    with pytest.raises(UnavailableError, match="went away"):
        client.receive()
    with pytest.raises(UnavailableError, match="not connected"):
        client.receive()
    assert client.latest() is not None
    client.connect()
    server.accept()
    server.say(TPV % b"47.0002")  # half a line of the connection before must not spoil it
    client.receive()
    fix = client.latest()
    assert fix is not None
    assert fix.lat == 47.0002
    assert client.status()["skipped"] == 0


def test_silence_counts_as_lost(server: Server, client: GpsdClient, clock: FakeClock) -> None:
    client.connect()
    server.accept()
    client.receive()
    clock.advance(10.5)
    with pytest.raises(UnavailableError, match="nothing for 10 s"):
        client.receive()


def test_nobody_there(server: Server, client: GpsdClient) -> None:
    server.close()
    with pytest.raises(UnavailableError, match=r"see gps\.host and gps\.port"):
        client.connect()
