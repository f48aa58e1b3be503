"""The shaped link."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from firmware_sim.link import Link
from tests.support.receiver import wait_until


class Echo:
    """Sends back what it is sent."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with suppress(OSError), peer:
            while data := peer.recv(65536):
                peer.sendall(data)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def link() -> Iterator[Link]:
    echo = Echo()
    link = Link(echo.address)
    yield link
    link.close()
    echo.close()


def connect(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=5)


def exactly(peer: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count and (data := peer.recv(65536)):
        got += data
    return got


def timed(peer: socket.socket, data: bytes) -> float:
    began = time.monotonic()
    peer.sendall(data)
    assert exactly(peer, len(data)) == data
    return time.monotonic() - began


def test_latency_is_that_of_both_directions(link: Link) -> None:
    with connect(link) as peer:
        timed(peer, b"warm")
        link.weather.latency_s = 0.15
        assert 0.3 <= timed(peer, b"hello") < 1.0


def test_jitter_keeps_the_order(link: Link) -> None:
    link.weather.jitter_s = 0.05
    message = bytes(range(256)) * 200
    with connect(link) as peer:
        assert timed(peer, message) < 5


def test_bandwidth_holds(link: Link) -> None:
    link.weather.bytes_s = 100_000
    with connect(link) as peer:
        assert 0.4 <= timed(peer, b"x" * 50_000) < 3.0


def test_after_a_stall_everything_comes(link: Link) -> None:
    with connect(link) as peer:
        timed(peer, b"warm")
        link.stall(0.3)
        assert timed(peer, b"late") >= 0.25


def test_a_cut_resets_and_refuses_for_its_time(link: Link) -> None:
    peer = connect(link)
    timed(peer, b"warm")
    assert link.cut(0.4) == 1
    with pytest.raises(ConnectionResetError):
        peer.recv(1)
    with connect(link) as refused:
        assert refused.recv(1) == b""

    def back() -> bool:
        with connect(link) as again, suppress(OSError):
            again.sendall(b"back")
            return exactly(again, 4) == b"back"
        return False

    wait_until(back, "the link is back")
    assert (link.cuts, peer.close()) == (1, None)


def test_half_open_swallows_in_silence(link: Link) -> None:
    with connect(link) as peer:
        timed(peer, b"warm")
        assert link.half_open() == 1
        peer.sendall(b"lost")
        peer.settimeout(0.2)
        with pytest.raises(TimeoutError):
            peer.recv(1)
        assert link.open == 0
    with connect(link) as other:
        timed(other, b"new ones pass")


def test_a_hotspot_answers_in_the_place_of_the_server(link: Link) -> None:
    link.weather.portal = True
    client = http.client.HTTPConnection("127.0.0.1", link.port, timeout=5)
    client.request("GET", "/metadata/timestamp.json")
    answer = client.getresponse()
    assert (answer.status, answer.getheader("Location")) == (
        302, "http://login.hotspot.example/",
    )  # fmt: skip
    assert b"log in" in answer.read()
    client.close()
    with connect(link) as broker:
        broker.sendall(b"\x10\x0c\x00\x04MQTT")
        assert broker.recv(1) == b""
    link.weather.portal = False
    with connect(link) as peer:
        timed(peer, b"logged in")


def test_what_was_said_before_hanging_up_arrives(link: Link) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    slow = Link(listener.getsockname())
    slow.weather.latency_s = 0.2
    with connect(slow) as peer:
        peer.sendall(b"last words")
    far, _ = listener.accept()
    far.settimeout(5)
    assert exactly(far, 10) == b"last words"
    far.close()
    slow.close()
    listener.close()


def test_nobody_behind_it_is_a_closed_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    link = Link(address)
    with connect(link) as peer:
        assert peer.recv(1) == b""
    link.close()


def test_taps_hear_both_directions_of_each_connection() -> None:
    echo, heard = Echo(), ([], [])
    link = Link(echo.address, lambda: (heard[0].append, heard[1].append))
    with connect(link) as peer:
        timed(peer, b"hello")
    link.close()
    echo.close()
    assert (b"".join(heard[0]), b"".join(heard[1])) == (b"hello", b"hello")
