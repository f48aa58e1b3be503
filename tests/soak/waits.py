"""Every way in which Python and what it uses wait: how long each took, by which clock.

Run by the tests with the faster clock preloaded; prints {name: [monotonic, wall, least, most]} in
seconds, the last two by the kernel's own clock, read after and before, and before and after.
"""

from __future__ import annotations

import ctypes
import json
import queue
import select
import socket
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_CLOCK_GETTIME = {"x86_64": 228, "aarch64": 113}


def main() -> None:
    wait_s = float(sys.argv[1])
    real = _real_clock(sys.argv[2])
    found = {}
    for name, wait in _waits(wait_s):
        began = real(), time.monotonic(), time.time(), real()
        with suppress(TimeoutError, queue.Empty, sqlite3.OperationalError):
            wait()
        ended = real(), time.monotonic(), time.time(), real()
        spans = [after - before for before, after in zip(began, ended, strict=True)]
        found[name] = [spans[1], spans[2], ended[0] - began[3], ended[3] - began[0]]
    print(json.dumps(found))


def _real_clock(machine: str) -> Callable[[], float]:
    """The kernel's own answer, past everything that is preloaded."""
    libc = ctypes.CDLL(None)

    def now() -> float:
        pair = (ctypes.c_long * 2)()
        libc.syscall(_CLOCK_GETTIME[machine], time.CLOCK_MONOTONIC, pair)
        return pair[0] + pair[1] / 1e9

    return now


def _waits(wait_s: float) -> list[tuple[str, Callable[[], object]]]:
    held, condition = threading.Lock(), threading.Condition()
    held.acquire()
    near, far = socket.socketpair()
    near.settimeout(wait_s)
    poll, epoll = select.poll(), select.epoll()
    poll.register(near, select.POLLIN)
    epoll.register(near, select.EPOLLIN)
    sleeper = threading.Thread(target=time.sleep, args=(wait_s,))
    sleeper.start()

    def conditioned() -> None:
        with condition:
            condition.wait(wait_s)

    return [
        ("join", sleeper.join),
        ("sleep", lambda: time.sleep(wait_s)),
        ("lock", lambda: held.acquire(timeout=wait_s)),
        ("event", lambda: threading.Event().wait(wait_s)),
        ("condition", conditioned),
        ("queue", lambda: queue.SimpleQueue[int]().get(timeout=wait_s)),
        ("recv", lambda: (near.recv(1), far)),
        ("select", lambda: select.select([near], [], [], wait_s)),
        ("poll", lambda: poll.poll(wait_s * 1000)),
        ("epoll", lambda: epoll.poll(wait_s)),
        ("sqlite", _locked_database(wait_s)),
    ]


def _locked_database(wait_s: float) -> Callable[[], object]:
    path = Path(tempfile.mkdtemp()) / "db"
    first, second = (sqlite3.connect(path, timeout=wait_s, isolation_level=None) for _ in range(2))
    first.execute("BEGIN EXCLUSIVE")
    return lambda: (second.execute("BEGIN EXCLUSIVE"), first)


if __name__ == "__main__":
    main()
