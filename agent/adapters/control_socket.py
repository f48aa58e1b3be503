"""The local control socket: who may command the agent is who owns it.

A Unix stream socket, mode 0600; the kernel says who is at the other end (SO_PEERCRED, unix(7)),
and only the agent's own user and root are heard. One request a line, at most `MAX_LINE` bytes,
one reply a line. A peer that dawdles is cut off.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from agent.errors import Exit, UnavailableError
from agent.messages.control import MAX_LINE, ControlReply, ControlRequest

Handler = Callable[[ControlRequest, int], ControlReply]
"""Takes a request and the uid of the peer."""
_PEER_TIMEOUT_S = 2.0
_MOST_REQUESTS = 16
"""In one conversation: a peer that never stops must not keep others waiting for ever."""
_UCRED = struct.Struct("3i")  # pid, uid, gid
_LONGEST_PATH = 107  # sun_path holds 108 bytes with the closing zero, unix(7)


def socket_path(state_dir: Path, runtime_dir: str | None) -> Path:
    """Where the socket lies: the runtime folder when the service manager made one."""
    first = (runtime_dir or "").split(":")[0]
    return (Path(first) if first else state_dir) / "control.sock"


class ControlServer:
    """Answers requests, one peer at a time.

    Args:
        path: of the socket. A stale one is replaced: the state lock says that it is stale.
        uid: the user whose requests are heard, besides root.
    """

    def __init__(self, path: Path, uid: int) -> None:
        self._path = path
        self._uid = uid
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Bind and listen.

        Raises:
            UnavailableError: the path cannot be bound.
        """
        if len(os.fsencode(self._path)) > _LONGEST_PATH:
            raise UnavailableError(
                f"control socket {self._path}: the path is longer than {_LONGEST_PATH} bytes; "
                "choose a shorter --state-dir"
            )
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            self._path.unlink(missing_ok=True)
            server.bind(os.fspath(self._path))
            server.listen(4)
        except OSError as error:
            server.close()
            raise UnavailableError(f"control socket {self._path}: {error.strerror}") from None
        finally:
            os.umask(mask)
        self._socket = server

    def serve(self, handler: Handler, timeout_s: float) -> None:
        """Wait up to `timeout_s` for a peer and answer its requests."""
        if self._socket is None:
            return
        self._socket.settimeout(timeout_s)
        try:
            peer, _ = self._socket.accept()
        except OSError:  # a time-out, or a peer gone before we came
            return
        with peer, contextlib.suppress(OSError):
            peer.settimeout(_PEER_TIMEOUT_S)
            self._converse(peer, handler)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._path.unlink(missing_ok=True)

    def _converse(self, peer: socket.socket, handler: Handler) -> None:
        _, uid, _ = _UCRED.unpack(
            peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        )
        with peer.makefile("rb") as lines:
            for _ in range(_MOST_REQUESTS):
                line = lines.readline(MAX_LINE)
                if not line:
                    return
                reply = self._reply(line, uid, handler)
                peer.sendall(reply.model_dump_json().encode() + b"\n")
                if not line.endswith(b"\n"):
                    return

    def _reply(self, line: bytes, uid: int, handler: Handler) -> ControlReply:
        if uid not in (0, self._uid):
            return _refusal("only the agent's own user and root may command it")
        if not line.endswith(b"\n"):
            return _refusal("the request is too long", Exit.USAGE)
        return _answer(line, uid, handler)


def _answer(line: bytes, uid: int, handler: Handler) -> ControlReply:
    try:
        request = ControlRequest.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "request"
        return _refusal(f"{where}: {first['msg']}"[:500], Exit.USAGE)
    return handler(request, uid)


def _refusal(why: str, code: Exit = Exit.REFUSED) -> ControlReply:
    return ControlReply(ok=False, error=why, code=int(code))


def ask(path: Path, request: ControlRequest, timeout_s: float = 5.0) -> ControlReply:
    """Ask the running agent.

    Raises:
        UnavailableError: no agent answers there.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(timeout_s)
            peer.connect(os.fspath(path))
            peer.sendall(request.model_dump_json().encode() + b"\n")
            with peer.makefile("rb") as lines:
                line = lines.readline()
        return ControlReply.model_validate_json(line)
    except PermissionError:
        raise UnavailableError(
            f"{path} belongs to another user; ask as that user or as root"
        ) from None
    except (OSError, ValidationError):
        raise UnavailableError(
            f"no agent answers at {path}; is it running with this --state-dir?"
        ) from None
