"""Every byte that this process hands to the kernel to write or to send, seen by strace."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

STRACE = shutil.which("strace")
_CALLS = "write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,sendmmsg"
_CALL = re.compile(rb"(?:write|writev|pwrite64|pwritev|pwritev2|sendto|sendmsg|sendmmsg)\((\d+)")
_STRING = re.compile(rb'"((?:\\x[0-9a-f]{2})*)"')
_ATTACH_S = 10.0


@dataclass
class Written:
    """Attributes:
    streams: by descriptor, everything in the order in which it was written.
    """

    streams: dict[str, bytes] = field(default_factory=dict)


@contextmanager
def seen_by_strace(log: Path) -> Iterator[Written]:
    """What is written meanwhile; `streams` is there at the end.

    Raises:
        OSError: strace is not there, or may not look at this process.
    """
    if STRACE is None:
        raise FileNotFoundError("strace")
    options = ["-f", "-qq", "-xx", "-s", "10000000", "-e", f"trace={_CALLS}", "-o", str(log)]
    tracer = subprocess.Popen([STRACE, *options, "-p", str(os.getpid())], stderr=subprocess.PIPE)
    written = Written()
    try:
        _attached(tracer)
        yield written
    finally:
        tracer.terminate()
        tracer.communicate(timeout=30)
    written.streams.update(_parsed(log.read_bytes()))


def _attached(tracer: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _ATTACH_S
    status = Path("/proc/self/status")
    while f"TracerPid:\t{tracer.pid}" not in status.read_text():
        if tracer.poll() is not None or time.monotonic() > deadline:
            tracer.kill()
            raise PermissionError("strace may not look at this process")
        time.sleep(0.02)


def _parsed(log: bytes) -> dict[str, bytes]:
    streams: dict[str, bytearray] = {}
    for line in log.splitlines():
        call = _CALL.search(line)
        if call is not None:
            stream = streams.setdefault(f"descriptor {call.group(1).decode()}", bytearray())
            for text in _STRING.findall(line):
                stream += bytes.fromhex(text.replace(b"\\x", b"").decode())
    return {name: bytes(stream) for name, stream in streams.items()}
