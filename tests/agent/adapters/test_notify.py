from __future__ import annotations

import socket
from pathlib import Path

import pytest

from agent.adapters.notify import ServiceNotifier


def receiver(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(address)
    sock.settimeout(2)
    return sock


def test_messages_reach_a_real_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with receiver(path) as manager:
        notifier = ServiceNotifier({"NOTIFY_SOCKET": path}, pid=1)
        notifier.ready()
        notifier.watchdog()
        notifier.status("armed:\n two  frames")
        notifier.stopping()
        got = [manager.recv(300).decode() for _ in range(4)]
    assert got == ["READY=1", "WATCHDOG=1", "STATUS=armed: two frames", "STOPPING=1"]


def test_the_abstract_name_space(tmp_path: Path) -> None:
    name = f"bodycam-test-{tmp_path.name}"
    with receiver("\0" + name) as manager:
        ServiceNotifier({"NOTIFY_SOCKET": "@" + name}, pid=1).ready()
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_a_manager_nothing_happens(environ: dict[str, str]) -> None:
    notifier = ServiceNotifier(environ, pid=1)
    notifier.ready()
    assert not notifier.present


def test_a_manager_that_went_away_is_no_error(tmp_path: Path) -> None:
    ServiceNotifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}, pid=1).watchdog()
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_interval(environ: dict[str, str], seconds: float | None) -> None:
    assert ServiceNotifier(environ, pid=7).watchdog_s == seconds
