"""The audit log on disk: one line a record, appended, flushed, never rewritten."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from agent.adapters import audit_files
from agent.adapters.private_files import sync_directory
from agent.adapters.signing import verify as verify_signature
from agent.audit.chain import Link, make_record
from agent.audit.checkpoint import KIND, Checkpoint, CheckpointKey, make_checkpoint
from agent.audit.walk import ChainReport, Trust, verify
from agent.errors import DataError, DiskError
from agent.messages import new_ulid
from agent.ports import Clock
from agent.values import Wall

_NEVER: Final = 1 << 62


class AuditLog:
    """An append-only chain, shared by the agent and its commands through an exclusive lock.

    Args:
        directory: made when first written, 0700; the files in it are 0600.
        clock: gives each record its time.
    """

    def __init__(self, directory: Path, clock: Clock) -> None:
        self.path = directory / audit_files.FILE
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
        with self._writing() as handle:
            now = self._clock.wall()
            last = self._mended(handle, now)
            line, last = make_record(last, kind, fields, now=now)
            _write(handle, line)
        return last

    def checkpoint(self, key: CheckpointKey, file_bytes: int = _NEVER) -> Checkpoint | None:
        """Sign for everything so far, in a record of its own.

        Args:
            key: who signs.
            file_bytes: a file as long as this is finished, and the checkpoint begins the next.

        Returns:
            the checkpoint; None when nothing was ever recorded.

        Raises:
            RefusedError: the key is locked; nothing was recorded.
            DataError, DiskError: as `append`.
        """
        with self._writing() as handle:
            now = self._clock.wall()
            last = self._mended(handle, now)
            if last.seq < 0:
                return None
            made, fields = make_checkpoint(
                last, self._uncovered(), key, checkpoint_id=_new_id(now), now=now
            )
            line, _ = make_record(last, KIND, fields, now=now)
            full = os.fstat(handle).st_size >= file_bytes
            first = audit_files.first_of(handle) if full else 0
            if not full or not audit_files.start_new(self._directory, first, line):
                _write(handle, line)
        return made

    def prune(self, total_bytes: int, known_to_hub: int, key: CheckpointKey) -> Checkpoint | None:
        """Give up the oldest finished files while all of them are longer than `total_bytes`.

        What is given up is recorded, and signed for, before it is deleted.

        Args:
            total_bytes: of all files together.
            known_to_hub: only files whose records have numbers up to this are given up.
            key: who signs.

        Returns:
            the checkpoint that covers the record of it; None when nothing was given up.

        Raises:
            as `checkpoint`.
        """
        gone, last = self._too_old(total_bytes, known_to_hub)
        if not gone:
            return None
        self.append("prune", first=gone[0].first, last=last, reason="the log is as long as it may")
        made = self.checkpoint(key)
        with self._writing():
            for one in gone:
                one.path.unlink()
            sync_directory(self._directory)
        return made

    def latest(self, kind: str = "") -> dict[str, Any] | None:
        """The latest record of a kind, or of all.

        Raises:
            DiskError: it cannot be read.
        """
        with self._told():
            return audit_files.latest(self._directory, kind)

    def head(self) -> Link:
        """The last finished record.

        Raises:
            DataError: it was changed.
            DiskError: it cannot be read.
        """
        with self._told():
            return self._last()

    def size(self) -> int:
        """Bytes of the growing file: another number means that something was recorded."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def verify(self, trust: Trust | None = None) -> ChainReport:
        """Walk the whole chain; a log that does not exist yet is whole.

        Raises:
            DiskError: it cannot be read.
        """
        with self._reading() as lines:
            return verify(lines, verify_signature, trust)

    def lines(self, last: int | None = None) -> list[bytes]:
        """The finished lines without their newlines, or only the `last` of them.

        Raises:
            DiskError: it cannot be read.
        """
        with self._reading() as lines:
            whole = [line[:-1] for line in lines if line.endswith(b"\n")]
        return whole if last is None else whole[max(0, len(whole) - last) :]

    def exists(self) -> bool:
        """Whether anything was ever recorded here."""
        return self.path.exists() or bool(audit_files.finished_files(self._directory))

    def _mended(self, handle: int, now: Wall) -> Link:
        """Where the chain stands, once a torn line is cut off and recorded."""
        last, torn = audit_files.tail(handle)
        if last.seq < 0:
            last = audit_files.last_finished(self._directory)
        if torn:
            os.ftruncate(handle, os.fstat(handle).st_size - len(torn))
            digest = hashlib.sha256(torn).hexdigest()
            line, last = make_record(last, "torn", {"bytes": len(torn), "sha256": digest}, now=now)
            _write(handle, line)
        return last

    def _uncovered(self) -> int:
        """Number of the latest checkpoint's record, which no checkpoint covers yet; 0 without."""
        found = audit_files.latest(self._directory, KIND)
        return 0 if found is None else int(found["seq"])

    def _last(self) -> Link:
        if not self.path.exists():
            return audit_files.last_finished(self._directory)
        handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            last = audit_files.tail(handle)[0]
        finally:
            os.close(handle)
        return last if last.seq >= 0 else audit_files.last_finished(self._directory)

    def _too_old(
        self, total_bytes: int, known_to_hub: int
    ) -> tuple[list[audit_files.Finished], int]:
        """Files to be given up, and the number of the last record in them."""
        with self._writing() as handle:
            files = audit_files.finished_files(self._directory)
            starts = [one.first for one in files] + [audit_files.first_of(handle)]
            size = os.fstat(handle).st_size + sum(one.path.stat().st_size for one in files)
        gone: list[audit_files.Finished] = []
        last = -1
        for one, next_first in zip(files, starts[1:], strict=True):
            if size <= total_bytes or next_first - 1 > known_to_hub:
                break
            size -= one.path.stat().st_size
            gone, last = [*gone, one], next_first - 1
        return gone, last

    @contextlib.contextmanager
    def _writing(self) -> Iterator[int]:
        try:
            with audit_files.locked(self._directory) as handle:
                yield handle
        except OSError as error:
            raise DiskError(f"{self.path}: {_why(error)}; nothing was recorded") from None
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from None

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Iterator[bytes]]:
        with self._told(), audit_files.shared(self._directory) as lines:
            yield lines

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DiskError(f"{self.path}: {_why(error)}") from None


def _write(handle: int, data: bytes) -> None:
    """All of it or, on a full disk, nothing: a torn line is what a loss of power leaves."""
    size, view = os.fstat(handle).st_size, memoryview(data)
    try:
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(handle, size)
        raise


def _new_id(now: Wall) -> str:
    return new_ulid(wall_s=now, randomness=os.urandom(10))


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
