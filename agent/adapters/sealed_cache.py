"""Blobs that can be made again, such as an index: on disk encrypted, decrypted in memory only.

Each lies under a random key of its own in the catalogue, and every change of the list destroys
that key: a blob made from a list holds its entries, and must not outlive them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path
from typing import Final

from agent.adapters.private_files import sync_directory, why
from agent.adapters.sealed_catalogue import Catalogue
from agent.adapters.sealed_files import ShardFiles
from agent.adapters.sealed_rows import Cached, new_cached
from agent.adapters.sealing import OVERHEAD, Buffer, decrypt, encrypt, new_key
from agent.errors import DataError, DiskError

_PIECE: Final = 4 << 20
"""Bytes encrypted at a time, so that a blob of hundreds of megabytes needs no second copy."""


class SealedCache:
    """One blob at a time.

    Args:
        directory: of the store.
        catalogue, files: of it.
    """

    def __init__(self, directory: Path, catalogue: Catalogue, files: ShardFiles) -> None:
        self._directory = directory
        self._catalogue = catalogue
        self._files = files

    def get(self, key: str) -> bytearray | None:
        """What was put; None when there is nothing, or it is damaged."""
        try:
            cached = self._catalogue.cached(_name(key))
            return None if cached is None else self._read(cached)
        except (DataError, OSError):
            return None

    def put(self, key: str, data: Buffer, change: int) -> bool:
        """Keep a blob in the place of any other.

        Args:
            key: names what it was made from.
            data: the blob.
            change: second of the catalogue's `counts` at that time.

        Returns:
            False when the list has changed since: it is not kept.

        Raises:
            DiskError: full or over the quota; nothing of it is left.
        """
        data = memoryview(data).cast("B")
        self._files.require_room(len(data))
        file, secret = f"{secrets.token_hex(16)}.cache", new_key()
        kept = False
        try:
            self._write(file, secret, data)
            kept = self._catalogue.save_cached(
                _name(key), new_cached(file, len(data), secret), change
            )
        except OSError as error:
            raise DiskError(f"{self._directory}: {why(error)}; the cache was not kept") from None
        finally:
            if not kept:
                with contextlib.suppress(OSError):
                    (self._directory / file).unlink()
        return kept

    def _write(self, file: str, secret: bytes, data: memoryview) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(self._directory / file, flags, 0o600), "wb") as stream:
            for at in range(0, len(data), _PIECE):
                stream.write(encrypt(secret, data[at : at + _PIECE], _about(file, at, len(data))))
            stream.flush()
            os.fsync(stream.fileno())
        sync_directory(self._directory)

    def _read(self, cached: Cached) -> bytearray:
        data = bytearray(cached.size)
        handle = os.open(self._directory / cached.file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as stream:
            for at in range(0, cached.size, _PIECE):
                end = min(at + _PIECE, cached.size)
                piece = stream.read(end - at + OVERHEAD)
                about = _about(cached.file, at, cached.size)
                data[at:end] = decrypt(cached.key, piece, about)
        return data


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _about(file: str, at: int, size: int) -> bytes:
    return f"bodycam.store-cache.v1/{file}/{at}/{size}".encode()
