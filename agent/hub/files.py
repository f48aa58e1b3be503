"""Files of the hub: written whole, on disk before anybody relies on them, one writer at a time."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.adapters import file_lock
from agent.errors import DiskError, MissingFileError, RefusedError, UsageError

_OTHERS: Final = 0o077


class Disk:
    """Writes files so that a reader sees the old or the new one, whatever is killed when."""

    def write(self, path: Path, data: bytes, *, when: float, mode: int = 0o644) -> None:
        """Replace a file in one step; it is on disk when this returns.

        Args:
            path: its folder is made when missing.
            data: the whole content.
            when: wall seconds, becomes the file's time.
            mode: permissions.

        Raises:
            DiskError: it cannot be written; the old file is as it was.
        """
        temporary = path.with_name(f".{path.name}.new")
        with reported(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.unlink(missing_ok=True)
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.utime(handle, (when, when))
                self.sync(handle)
            temporary.replace(path)
            self.sync_folder(path.parent)

    def remove(self, path: Path) -> None:
        with reported(path):
            path.unlink(missing_ok=True)

    def sync(self, handle: int) -> None:
        """What was written is on disk when this returns."""
        os.fsync(handle)

    def sync_folder(self, folder: Path) -> None:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sync(handle)
        finally:
            os.close(handle)


def require_folder(path: Path) -> None:
    """Nothing is put where a folder is not there, such as a stick that is not mounted.

    Args:
        path: of what will be written.

    Raises:
        MissingFileError: the folder that it lies in does not exist.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise MissingFileError(
            f"{path}: there is no folder {folder}; make it, or mount what it is on"
        )


def require_new(path: Path) -> None:
    """Nothing that a person may have edited is written over.

    Args:
        path: of what will be written.

    Raises:
        UsageError: there is something of this name.
        MissingFileError: the folder that it lies in does not exist.
    """
    require_folder(path)
    if path.exists():
        raise UsageError(f"{path}: is there already and stays as it is; name another file")


def read_bounded(path: Path, limit: int) -> bytes:
    """A file of at most `limit` bytes.

    Raises:
        MissingFileError: there is none, or it cannot be read.
        RefusedError: it is larger.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise MissingFileError(f"{path}: {why(error)}") from None
    if len(data) > limit:
        raise RefusedError(f"{path}: larger than {limit} bytes, not what is expected here")
    return data


def read_secret(path: Path, limit: int) -> bytes:
    """A file that its owner alone may read.

    Raises:
        MissingFileError: there is none.
        RefusedError: others may read it.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise MissingFileError(f"{path}: {why(error)}") from None
    if stat.S_ISREG(mode) and mode & _OTHERS:
        raise RefusedError(
            f"{path}: others may read it ({stat.S_IMODE(mode):04o}); "
            f"run `chmod 600 {path}` (a FAT stick: mount it with umask=077)"
        )
    return read_bounded(path, limit)


def private_folder(folder: Path) -> None:
    """Make a folder for its owner alone.

    Raises:
        DiskError: it cannot be made.
    """
    with reported(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextlib.contextmanager
def locked(folder: Path, *, wait_s: float = 30.0) -> Iterator[None]:
    """One writer of the hub at a time; the kernel lets go whatever kills us.

    Raises:
        UnavailableError: another command holds the hub for too long.
        DiskError: the lock file cannot be made.
    """
    with file_lock.locked(
        folder / ".lock", wait_s, "another command is at work on this hub; try again"
    ):
        yield


@contextlib.contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turns what the system says about a file into one line.

    Raises:
        DiskError: the body failed with an OSError.
    """
    try:
        yield
    except OSError as error:
        raise DiskError(f"{path}: {why(error)}") from None


def why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
