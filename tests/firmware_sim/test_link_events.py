"""The link as a program: what is typed, and what happens to it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading

import pytest

from firmware_sim.cli import main
from firmware_sim.cli_link import play
from firmware_sim.errors import Exit
from firmware_sim.link import Link
from firmware_sim.link_events import LinkEvent, forms, parse
from tests.firmware_sim.test_link import Echo, connect, timed
from tests.support.receiver import wait_until


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("20:cut=30", LinkEvent(20.0, "cut", 30.0)),
        ("0:latency=0.15", LinkEvent(0.0, "latency", 0.15)),
        ("60:half-open", LinkEvent(60.0, "half-open", 0.0)),
        ("1:portal=1", LinkEvent(1.0, "portal", 1.0)),
    ],
)
def test_what_is_understood(text: str, event: LinkEvent) -> None:
    assert parse(text) == event


@pytest.mark.parametrize(
    "text", ["", "cut=1", "1:cut", "1:half-open=1", "1:cut=-1", "nan:cut=1", "1:rate=inf", "1:fly"]
)
def test_what_is_not_is_told_with_what_would_be(text: str) -> None:
    with pytest.raises(ValueError, match="SECONDS"):
        parse(text)


def test_everything_happens_in_its_order() -> None:
    echo, stop = Echo(), threading.Event()
    link = Link(echo.address)
    with connect(link) as peer:
        timed(peer, b"warm")
        events = [parse(t) for t in ("0.2:half-open", "0:jitter=0", "0:rate=90000", "0.1:portal=1")]
        player = threading.Thread(target=play, args=(link, events, stop))
        player.start()
        wait_until(lambda: link.open == 0, "half open")
        assert (link.weather.portal, link.weather.bytes_s) == (True, 90_000)
        stop.set()
        player.join(5)
    link.close()
    echo.close()


def test_as_a_program_it_passes_on_until_it_is_stopped() -> None:
    echo = Echo()
    command = ["link", "--to", f"127.0.0.1:{echo.address[1]}", "--latency", "0.1", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "firmware_sim", *command], stdout=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        port = json.loads(program.stdout.readline())["port"]
        link = type("There", (), {"port": port})
        with connect(link) as peer:
            assert timed(peer, b"hello") >= 0.2
        program.send_signal(signal.SIGTERM)
        assert program.wait(10) == 0
    echo.close()


def test_a_port_that_is_taken_and_a_command_that_makes_no_sense() -> None:
    echo = Echo()
    taken = ["--to", "127.0.0.1:1", "--port", str(echo.address[1])]
    assert main(["link", *taken]) == Exit.UNAVAILABLE
    assert main(["link", "--to", "nowhere"]) == Exit.USAGE
    assert main(["link", "--to", "localhost:1", "--at", "1:fly"]) == Exit.USAGE
    assert "half-open" in forms()
    echo.close()
