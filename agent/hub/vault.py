"""What the hub keeps to itself: templates, pictures of faces, keys of shards.

All of it is encrypted under one data key. That is derived from a key file like those of the roles
(PKCS #8, locked with scrypt of the hub's passphrase), so that no other way of keeping keys is
needed. What a stolen `lists.sqlite` gives without the passphrase: names of lists, ids of entries,
counts and dates, reasons of refusals, and hashes of photographs, by which somebody who has the very
file of a photograph learns that it is enrolled. No face, template, path or key.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from agent.adapters.sealing import KEY_BYTES, decrypt, encrypt
from agent.errors import DataError, MissingFileError
from agent.hub.keyfiles import KeyFiles

FILE: Final = "data.pem"
_INFO: Final = b"bodycam.hub.data.v1"


@dataclass(frozen=True, slots=True, repr=False)
class Vault:
    """Encrypts and decrypts with the data key.

    Attributes:
        key: 32 bytes.
    """

    key: bytes

    def lock(self, data: bytes, about: str) -> bytes:
        """`about` says what it is, and must be said again to unlock it."""
        return encrypt(self.key, data, about.encode())

    def unlock(self, blob: bytes, about: str) -> bytes:
        """What was locked.

        Raises:
            DataError: another key, or changed.
        """
        return decrypt(self.key, blob, about.encode())


def open_vault(folder: Path, files: KeyFiles, *, when: float, fresh: bool) -> Vault:
    """The vault whose key lies in the hub's folder of keys.

    Args:
        folder: of the keys that the hub needs every day.
        files: opens key files.
        when: wall seconds.
        fresh: nothing was locked yet, so a missing key is made.

    Raises:
        MissingFileError: the key is not there, though things were locked with it.
        RefusedError: a wrong passphrase, or others may read the file.
        DataError: the file holds another kind of key.
    """
    path = folder / FILE
    if not path.exists():
        if not fresh:
            raise MissingFileError(f"{path}: the key of the hub's lists is gone; restore a copy")
        files.save(path, X25519PrivateKey.generate(), offline=False, when=when)
    private = files.load(path)
    if not isinstance(private, X25519PrivateKey):
        raise DataError(f"{path}: not the key of the hub's lists; restore a copy")
    kdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_INFO)
    return Vault(kdf.derive(private.private_bytes_raw()))
