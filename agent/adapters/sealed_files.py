"""Shards of the sealed store on disk: each under a random key of its own, written once."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Final

from agent.adapters.file_lock import locked
from agent.adapters.private_files import read_private, sync_directory, why, write_aside
from agent.adapters.sealing import decrypt, encrypt
from agent.errors import BodycamError, DataError, DiskError
from agent.messages.bundle import MAX_SHARD
from agent.watchlist.columns import Columns
from agent.watchlist.shard import decode_shard, encode_shard

SUFFIXES: Final = (".shard", ".cache")
_LOCK: Final = ".lock"


class ShardFiles:
    """The folder of the store.

    Args:
        directory: there already.
        quota_bytes: most that all files in it may take together.
    """

    def __init__(self, directory: Path, quota_bytes: int) -> None:
        self._directory = directory
        self._quota = quota_bytes

    def write(self, columns: Columns, space: str, key: bytes) -> tuple[str, int]:
        """A new shard, flushed to disk; its name is not yet (`settle`).

        Returns:
            its name, and its size in bytes.

        Raises:
            DiskError: full, over the quota, or it cannot be written; nothing of it is left.
        """
        name = f"{secrets.token_hex(16)}.shard"
        data = encrypt(key, encode_shard(columns, space), _about(name))
        self.require_room(len(data))
        try:
            write_aside(self._directory / name, data)
        except OSError as error:
            raise DiskError(f"{self._directory}: {why(error)}; the list is as it was") from None
        return name, len(data)

    def read(self, name: str, key: bytes) -> tuple[str, Columns]:
        """Family of embedders, and entries.

        Raises:
            DataError: missing, damaged, or another file of this name.
            DiskError: it cannot be read.
        """
        try:
            blob = read_private(self._directory / name, MAX_SHARD)
            return decode_shard(decrypt(key, blob, _about(name)))
        except DiskError:
            raise
        except BodycamError as error:
            raise DataError(f"list store: {name}: {error}; sync again") from None

    def there(self, name: str, size: int) -> bool:
        """Whether a file of this size is there."""
        try:
            return (self._directory / name).lstat().st_size == size
        except OSError:
            return False

    def require_room(self, size: int) -> None:
        """Whether so many bytes more are within the quota.

        Raises:
            DiskError: they are not.
        """
        if self.used() + size > self._quota:
            raise DiskError(
                f"{self._directory}: over the quota of {self._quota >> 20} MB; the list is as it "
                "was (sync.quota_mb)"
            )

    def used(self) -> int:
        """Bytes of all files."""
        with _reported(self._directory), os.scandir(self._directory) as found:
            return sum(one.stat(follow_symlinks=False).st_size for one in found)

    def settle(self) -> None:
        """Make new and deleted names last.

        Raises:
            DiskError: it cannot be.
        """
        with _reported(self._directory):
            sync_directory(self._directory)

    def sweep(self, keep: Container[str]) -> int:
        """Delete every shard and blob that nobody knows; how many there were."""
        gone = 0
        with _reported(self._directory), os.scandir(self._directory) as found:
            names = [one.name for one in found if one.name.endswith(SUFFIXES)]
            for name in names:
                if name not in keep:
                    (self._directory / name).unlink(missing_ok=True)
                    gone += 1
        return gone

    @contextlib.contextmanager
    def writing(self, wait_s: float) -> Iterator[None]:
        """One writer at a time, over threads and processes.

        Raises:
            UnavailableError: another one is at it for too long.
            DiskError: the lock file cannot be made.
        """
        busy = "another command is changing the list; try again"
        with locked(self._directory / _LOCK, wait_s, busy):
            yield


def _about(name: str) -> bytes:
    return f"bodycam.store-shard.v1/{name}".encode()


@contextlib.contextmanager
def _reported(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskError(f"{directory}: {why(error)}") from None
