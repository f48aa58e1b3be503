"""One writer at a time, over threads and processes."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from agent.adapters.private_files import why
from agent.errors import DiskError, UnavailableError

_PAUSE_S: Final = 0.02


@contextmanager
def locked(path: Path, wait_s: float, busy: str) -> Iterator[None]:
    """While the body runs, nobody else holds the lock file, which is made when missing.

    Args:
        path: in a folder that exists.
        wait_s: so long another holder is waited for.
        busy: what is said then.

    Raises:
        UnavailableError: another one holds it for too long.
        DiskError: the file cannot be made.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        handle = os.open(path, flags, 0o600)
    except OSError as error:
        raise DiskError(f"{path.parent}: {why(error)}") from None
    try:
        _take(handle, time.monotonic() + wait_s, f"{path.parent}: {busy}")
        yield
    finally:
        os.close(handle)


def _take(handle: int, until: float, busy: str) -> None:
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise UnavailableError(busy) from None
        time.sleep(_PAUSE_S)
