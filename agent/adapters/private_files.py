"""Files for the owner alone: written whole with mode 0600, refused when anybody else could read."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

from agent.errors import DiskError, MissingFileError, RefusedError, UsageError

PRIVATE: Final = 0o600
PRIVATE_DIR: Final = 0o700
_OTHERS: Final = 0o077


def read_private(path: Path, limit: int) -> bytes:
    """The content of a secret file.

    Args:
        path: a regular file of ours that nobody else may read; never followed as a link.
        limit: most bytes that it may hold.

    Raises:
        MissingFileError: there is none.
        RefusedError: a link, no file, another owner's, or others could read or change it.
        DiskError: it cannot be read, or is too long.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file") from None
    except OSError as error:
        if path.is_symlink():
            raise RefusedError(f"{path}: is a link; put the file itself there") from None
        raise DiskError(f"{path}: {why(error)}") from None
    with os.fdopen(handle, "rb") as stream:
        _require_private(path, os.fstat(handle))
        try:
            data = stream.read(limit + 1)
        except OSError as error:
            raise DiskError(f"{path}: {why(error)}") from None
    if len(data) > limit:
        raise DiskError(f"{path}: longer than the {limit} bytes it may have")
    return data


def write_private(path: Path, data: bytes) -> None:
    """Write a file whole, flushed to disk, in a folder that exists: readers see old or new.

    Raises:
        DiskError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        write_aside(temporary, data)
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise DiskError(f"{path}: {why(error)}") from None


def write_aside(path: Path, data: bytes) -> None:
    """Write and flush a new file; one of this name is replaced, a link never followed.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def private_directory(path: Path) -> None:
    """Make a folder for the owner alone, or hold an existing one to that.

    Raises:
        RefusedError: a link, or others may look into it.
        DiskError: it cannot be made.
    """
    try:
        path.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
    except FileExistsError:
        pass
    except OSError as error:
        raise DiskError(f"{path}: {why(error)}") from None
    require_private_directory(path)


def require_private_directory(path: Path) -> None:
    """Hold a folder to being for the owner alone.

    Raises:
        MissingFileError: there is none.
        RefusedError: a link, or others may look into it.
        DiskError: it cannot be told.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such folder") from None
    except OSError as error:
        raise DiskError(f"{path}: {why(error)}") from None
    if not stat.S_ISDIR(status.st_mode):
        raise RefusedError(f"{path}: is a link or a file; put the folder itself there")
    _require_private(path, status)


def read_passphrase(path: Path) -> str:
    """The first line of a file that only its owner may read.

    Raises:
        UsageError: empty, or not UTF-8.
        BodycamError: as `read_private`.
    """
    try:
        words = read_private(path, 1024).decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise UsageError(f"{path}: the passphrase is not UTF-8 text") from None
    if not words or not words[0]:
        raise UsageError(f"{path}: the first line must hold the passphrase")
    return words[0]


def sync_directory(directory: Path) -> None:
    """Make the names in a folder last.

    Raises:
        OSError: it cannot be.
    """
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def why(error: OSError) -> str:
    """What the system said, in its words."""
    return (error.strerror or str(error)).lower()


def _require_private(path: Path, status: os.stat_result) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR):
        raise RefusedError(f"{path}: is no regular file")
    if status.st_uid not in (os.geteuid(), 0):
        raise RefusedError(f"{path}: belongs to another user; copy it as the agent's own")
    if status.st_mode & _OTHERS:
        mode = "700" if kind == stat.S_IFDIR else "600"
        raise RefusedError(f"{path}: others may read it; chmod {mode} it")
