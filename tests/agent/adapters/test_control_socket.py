from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.adapters.control_socket import ControlServer, ask, socket_path
from agent.errors import UnavailableError
from agent.messages.control import MAX_LINE, ControlReply, ControlRequest

STATUS = ControlRequest(command="status")


@contextlib.contextmanager
def serving(path: Path, uid: int | None = None) -> Iterator[list[tuple[str, int]]]:
    """A server answering in a thread; what it was asked, and by whom."""
    asked: list[tuple[str, int]] = []
    server = ControlServer(path, os.getuid() if uid is None else uid)
    server.open()
    done = threading.Event()

    def answer(request: ControlRequest, peer: int) -> ControlReply:
        asked.append((request.command, peer))
        return ControlReply(ok=True, data={"state": "armed"})

    def loop() -> None:
        while not done.is_set():
            server.serve(answer, 0.05)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield asked
    finally:
        done.set()
        thread.join(5)
        server.close()


def raw(path: Path, data: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(5)
        peer.connect(str(path))
        peer.sendall(data)
        return peer.recv(65536)


def test_a_request_is_answered_and_the_peer_known(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with serving(path) as asked:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        reply = ask(path, STATUS)
    assert reply.ok
    assert reply.data == {"state": "armed"}
    assert asked == [("status", os.getuid())]
    assert not path.exists()


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with pytest.raises(UnavailableError, match="no agent answers"):
        ask(path, STATUS)
    with serving(path):
        assert ask(path, STATUS).ok


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"not json\n", "Invalid JSON"),
        (b'{"command":"format"}\n', "command"),
        (b'{"command":"status","x":1}\n', "x"),
        (b'{"command":"arm","authorisation":"a b"}\n', "authorisation"),
        (b"x" * (MAX_LINE + 10), "too long"),
    ],
)
def test_nonsense_is_refused_and_the_server_goes_on(
    tmp_path: Path, line: bytes, problem: str
) -> None:
    path = tmp_path / "control.sock"
    with serving(path) as asked:
        reply = ControlReply.model_validate_json(raw(path, line))
        assert not reply.ok
        assert problem in reply.error
        assert ask(path, STATUS).ok
    assert len(asked) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become another user")
def test_another_user_is_not_heard(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "control.sock"
        with serving(path) as asked:
            path.chmod(0o666)
            os.seteuid(65534)
            try:
                reply = ControlReply.model_validate_json(raw(path, b'{"command":"status"}\n'))
            finally:
                os.seteuid(0)
    assert not reply.ok
    assert reply.code == 77
    assert asked == []


def test_a_path_too_long_for_a_socket_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="shorter --state-dir"):
        ControlServer(tmp_path / ("x" * 120), 0).open()


def test_the_runtime_folder_goes_first(tmp_path: Path) -> None:
    assert socket_path(tmp_path, "/run/a:/run/b") == Path("/run/a/control.sock")
    assert socket_path(tmp_path, None) == tmp_path / "control.sock"
