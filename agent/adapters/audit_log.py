"""The audit log on disk: one line a record, appended, flushed, never rewritten."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from agent.audit.chain import MAX_LINE, ChainReport, Link, make_record, read_record, verify
from agent.errors import DataError, DiskError
from agent.ports import Clock

FILE = "audit.jsonl"


class AuditLog:
    """An append-only chain, shared by the agent and its commands through an exclusive lock.

    Args:
        directory: made when first written, 0700; the file in it is 0600.
        clock: gives each record its time.
    """

    def __init__(self, directory: Path, clock: Clock) -> None:
        self.path = directory / FILE
        self._directory = directory
        self._clock = clock

    def append(self, kind: str, **fields: str | int) -> Link:
        """Record something; on disk when this returns.

        A line torn by a loss of power is cut off first, and that is recorded too.

        Returns:
            the number and hash of the record.

        Raises:
            ValueError: a kind or field that may not be recorded.
            DataError: the last record was changed; nothing is added to a broken chain.
            DiskError: it cannot be written.
        """
        now = self._clock.wall()
        try:
            with self._writing() as handle:
                last, torn = _tail(handle)
                pieces = []
                if torn:
                    os.ftruncate(handle, os.fstat(handle).st_size - len(torn))
                    digest = hashlib.sha256(torn).hexdigest()
                    marks: dict[str, str | int] = {"bytes": len(torn), "sha256": digest}
                    piece, last = make_record(last, "torn", marks, now=now)
                    pieces.append(piece)
                piece, last = make_record(last, kind, fields, now=now)
                _write_all(handle, b"".join([*pieces, piece]))
                os.fsync(handle)
        except OSError as error:
            raise DiskError(f"{self.path}: {_why(error)}; nothing was recorded") from None
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from None
        return last

    def verify(self) -> ChainReport:
        """Walk the whole chain; a log that does not exist yet is whole.

        Raises:
            DiskError: it cannot be read.
        """
        with self._reading() as lines:
            return verify(lines)

    def lines(self, last: int | None = None) -> list[bytes]:
        """The finished lines without their newlines, or only the `last` of them.

        Raises:
            DiskError: it cannot be read.
        """
        with self._reading() as lines:
            whole = [line[:-1] for line in lines if line.endswith(b"\n")]
        return whole if last is None else whole[max(0, len(whole) - last) :]

    @contextlib.contextmanager
    def _writing(self) -> Iterator[int]:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = not self.path.exists()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        handle = os.open(self.path, flags, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if fresh:
                _sync_directory(self._directory)
            yield handle
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Iterator[bytes]]:
        try:
            with contextlib.ExitStack() as stack:
                if self.path.exists():
                    stream = stack.enter_context(self.path.open("rb"))
                    fcntl.flock(stream, fcntl.LOCK_SH)
                    yield _bounded(iter(lambda: stream.readline(MAX_LINE + 2), b""))
                else:
                    yield iter(())
        except OSError as error:
            raise DiskError(f"{self.path}: {_why(error)}") from None


def _bounded(lines: Iterator[bytes]) -> Iterator[bytes]:
    """A line too long to be a record is handed on as one that no rule accepts, not as torn."""
    for line in lines:
        if len(line) > MAX_LINE + 1 and not line.endswith(b"\n"):
            yield line + b"\n"
            return
        yield line


def _tail(handle: int) -> tuple[Link, bytes]:
    """The last finished record, and the unfinished bytes after it."""
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


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
