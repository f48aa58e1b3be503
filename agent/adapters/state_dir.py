"""The agent's own folder: one agent at a time, files written whole."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from agent.errors import DiskError, UnavailableError


def prepare(state_dir: Path) -> None:
    """Create the folder, for its owner only.

    Raises:
        DiskError: it cannot be made or written to.
    """
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(f"state folder {state_dir}: {_why(error)}; choose --state-dir") from None
    if not os.access(state_dir, os.W_OK | os.X_OK):
        raise DiskError(f"state folder {state_dir}: not writable; choose --state-dir")


def open_to_others(state_dir: Path) -> str:
    """What to do when others may look into the folder; empty when they may not."""
    others = state_dir.stat().st_mode & 0o077
    return f"others may look into the state folder: chmod 700 {state_dir}" if others else ""


class StateLock:
    """Holds the state folder for one agent; the kernel lets go of it whatever kills us."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "agent.lock"
        self._fd = -1

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            UnavailableError: another agent holds it.
            DiskError: the lock file cannot be made.
        """
        try:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DiskError(f"lock file {self._path}: {_why(error)}") from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.release()
            raise UnavailableError(
                f"another agent already runs on {self._path.parent}; "
                "stop it, or choose another --state-dir"
            ) from None

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document whole: readers see the old one or the new one.

    Raises:
        DiskError: it cannot be written.
    """
    write_whole(path, json.dumps(value, indent=2) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a temporary file, flush it to disk, move it into place."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink()
            raise
    except OSError as error:
        raise DiskError(f"{path}: {_why(error)}") from None


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
