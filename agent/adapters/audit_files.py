"""The files of an audit log: the one that grows, and finished ones with the number of their first
record in the name, so that `cat audit-*.jsonl audit.jsonl` is the whole log.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from agent.adapters.private_files import sync_directory, write_aside
from agent.audit.chain import MAX_LINE, Link, read_record
from agent.errors import DataError

FILE: Final = "audit.jsonl"
_FINISHED: Final = re.compile(r"audit-([0-9]{16})\.jsonl")
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})


@dataclass(frozen=True, slots=True)
class Finished:
    """A file that grows no more.

    Attributes:
        first: number of its first record.
    """

    path: Path
    first: int


def finished_files(directory: Path) -> list[Finished]:
    """Oldest first. One that is the growing file itself (a rotation cut short) is none of them."""
    try:
        growing = (directory / FILE).stat().st_ino
    except FileNotFoundError:
        growing = -1
    found = [
        Finished(path, int(name[1]))
        for path in directory.glob("audit-*.jsonl")
        if (name := _FINISHED.fullmatch(path.name)) and path.lstat().st_ino != growing
    ]
    return sorted(found, key=lambda one: one.first)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[int]:
    """The growing file, open for appending and ours alone; made when missing.

    Raises:
        OSError: it cannot be opened, or is a link.
    """
    path = directory / FILE
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    while True:
        fresh = not path.exists()
        handle = os.open(path, flags, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not _still(handle, path):  # rotated while we waited
                continue
            if fresh:
                sync_directory(directory)
            yield handle
        finally:
            os.close(handle)
        return


@contextlib.contextmanager
def shared(directory: Path) -> Iterator[Iterator[bytes]]:
    """All lines of all files as they are now, oldest first, each with its newline.

    Writers wait while the files are opened, not while they are read: what is finished never
    changes, and of the rest a copy is taken.

    Raises:
        OSError: a file cannot be read.
    """
    with contextlib.ExitStack() as files:
        with contextlib.ExitStack() as lock:
            growing = _held(directory / FILE, lock, files)
            streams = [
                files.enter_context(one.path.open("rb")) for one in finished_files(directory)
            ]
            end, torn = (0, b"") if growing is None else _whole(growing)
        parts = [_lines(stream) for stream in streams]
        if growing is not None:
            parts.append(_lines(growing, end))
        yield itertools.chain(*parts, [torn] if torn else [])


def tail(handle: int) -> tuple[Link, bytes]:
    """The last finished record of a file, and the unfinished bytes after it.

    Raises:
        DataError: the last record is not one.
    """
    size = os.fstat(handle).st_size
    start = max(0, size - 2 * MAX_LINE - 2)
    block = os.pread(handle, size - start, start)
    whole, newline, torn = block.rpartition(b"\n")
    if not newline:
        if start:
            raise DataError("its last line is longer than a record; run `audit verify`")
        return Link(), torn
    try:
        record = read_record(whole.rpartition(b"\n")[2])
    except ValueError as error:
        raise DataError(f"the last record: {error}; run `audit verify`") from None
    return Link(record["seq"], record["hash"]), torn


def last_finished(directory: Path) -> Link:
    """The last record of the latest finished file, for when the growing one is empty."""
    files = finished_files(directory)
    if not files:
        return Link()
    handle = os.open(files[-1].path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return tail(handle)[0]
    finally:
        os.close(handle)


def latest(directory: Path, kind: str = "") -> dict[str, Any] | None:
    """The latest record of a kind, or of all, as it lies there; None without one."""
    mark = f'"kind":"{kind}"'.encode() if kind else b""  # in a reason it would have backslashes
    for path in [directory / FILE, *(one.path for one in finished_files(directory)[::-1])]:
        if path.exists():
            for line in reversed(path.read_bytes().split(b"\n")[:-1]):
                if mark in line:
                    return _parsed(line)
    return None


def first_of(handle: int) -> int:
    """Number of the first record of a file; 0 for an empty one.

    Raises:
        DataError: it is not one.
    """
    line = os.pread(handle, MAX_LINE + 1, 0).partition(b"\n")[0]
    try:
        return int(read_record(line)["seq"]) if line else 0
    except ValueError as error:
        raise DataError(f"the first record: {error}; run `audit verify`") from None


def start_new(directory: Path, first: int, line: bytes) -> bool:
    """Finish the growing file, whose first record has that number, and begin another with `line`.

    The growing file is never absent, so that nobody else begins one; a crash in between leaves it
    with two names, and the second is taken away by `tidy`. Call it under the lock.

    Returns:
        False when this file system has no hard links: nothing was done.
    """
    path, aside = directory / FILE, directory / ".audit.jsonl.new"
    tidy(directory)
    write_aside(aside, line)
    try:
        (directory / f"audit-{first:016d}.jsonl").hardlink_to(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        if error.errno in _NO_LINKS:
            return False
        raise
    aside.replace(path)
    sync_directory(directory)
    return True


def tidy(directory: Path) -> None:
    """Take away the second name that a rotation cut short has left."""
    path = directory / FILE
    for other in directory.glob("audit-*.jsonl"):
        if _FINISHED.fullmatch(other.name) and path.exists() and other.samefile(path):
            other.unlink()


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        return read_record(line)
    except ValueError as error:
        raise DataError(f"a record: {error}; run `audit verify`") from None


def _still(handle: int, path: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(handle)
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)


def _held(path: Path, lock: contextlib.ExitStack, files: contextlib.ExitStack) -> BinaryIO | None:
    """The growing file, open; nobody writes until `lock` is left. None: there is none."""
    while path.exists():
        stream = files.enter_context(path.open("rb"))
        fcntl.flock(stream, fcntl.LOCK_SH)
        if _still(stream.fileno(), path):
            lock.callback(fcntl.flock, stream, fcntl.LOCK_UN)
            return stream
    return None


def _whole(stream: BinaryIO) -> tuple[int, bytes]:
    """Where the finished lines of a file end, and the unfinished bytes after them."""
    size = os.fstat(stream.fileno()).st_size
    start = max(0, size - MAX_LINE - 2)
    block = os.pread(stream.fileno(), size - start, start)
    lines, newline, torn = block.rpartition(b"\n")
    if not newline and start:
        return size, b""  # a line too long to be a record
    return start + len(lines) + len(newline), torn


def _lines(stream: BinaryIO, end: int = 1 << 62) -> Iterator[bytes]:
    """A line too long to be a record is handed on as one that no rule accepts, not as torn."""
    at = 0
    while at < end and (line := stream.readline(MAX_LINE + 2)):
        at += len(line)
        if len(line) > MAX_LINE + 1 and not line.endswith(b"\n"):
            yield line + b"\n"
            return
        yield line
