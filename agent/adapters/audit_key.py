"""The key that signs checkpoints of a device that has no identity: made here, kept beside the log.

It lets a field test use and check the same log. Whoever can change the log can use this key too,
so it proves nothing against them; an identity (`bodycam-agent provision`) and the hub do.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.adapters.private_files import read_private, write_private
from agent.adapters.sealing import KEY_BYTES
from agent.audit.checkpoint import CheckpointKey
from agent.errors import DataError, MissingFileError

FILE: Final = "signing.key"


def local_key(directory: Path, agency: str, device: str) -> CheckpointKey:
    """The key of the log in this folder, made at the first call.

    Args:
        directory: of the log.
        agency: as configured.
        device: as configured.

    Raises:
        DataError: the file is not a key.
        RefusedError: others may read it.
        DiskError: it cannot be read or written.
    """
    path = directory / FILE
    try:
        raw = read_private(path, KEY_BYTES)
    except MissingFileError:
        raw = os.urandom(KEY_BYTES)
        with contextlib.suppress(FileExistsError):
            directory.mkdir(mode=0o700, parents=True)
        write_private(path, raw)
    if len(raw) != KEY_BYTES:
        raise DataError(f"{path}: not a key; move it away, and a new one is made")
    key = Ed25519PrivateKey.from_private_bytes(raw)
    return CheckpointKey(agency, device, key.public_key().public_bytes_raw(), key.sign)
