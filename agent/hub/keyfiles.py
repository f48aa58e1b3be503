"""Private keys as files: PEM, PKCS #8 encrypted, mode 0600.

PKCS #8 as libraries write it derives the key with 2,048 rounds of PBKDF2, which a graphics card
tries a million times a second. So the PKCS #8 password is not the passphrase but scrypt of it
(RFC 7914, about 0.1 s and 32 MB a guess); cost, salt and 32 bits by which a right password is known
stand in the line before the PEM block.
To open such a file elsewhere, derive the 32 bytes and give them as 64 hexadecimal digits.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from agent.adapters.sealing import SALT_BYTES, ScryptCost, passphrase_key
from agent.errors import BodycamError, DataError, RefusedError
from agent.hub.files import Disk, private_folder, read_secret
from agent.hub.passphrases import Passphrases

PrivateKey = Ed25519PrivateKey | X25519PrivateKey
_MAX_BYTES: Final = 16 << 10
_HEAD: Final = re.compile(
    rb"^bodycam-hub key: scrypt n=(\d{1,8}) r=(\d{1,2}) p=(\d{1,2}) salt=([0-9a-f]{32})"
    rb"(?: check=([0-9a-f]{8}))?\n"
)
_CHECK: Final = b"bodycam-hub key check"
"""Without it a wrong passphrase is not always told from a damaged file: the padding of the block
comes out right for one in 256. Files written before have none."""
_BEGIN: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
_MAX_COST: Final = 1 << 30
"""Bytes of memory that a key file may ask for."""


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Reads and writes key files.

    Attributes:
        passphrases: what opens and locks them.
        cost: of a guess, for new files.
        disk: writes them.
    """

    passphrases: Passphrases
    cost: ScryptCost = ScryptCost()  # noqa: RUF009 -- frozen
    disk: Disk = Disk()  # noqa: RUF009 -- stateless

    def save(
        self,
        path: Path,
        key: PrivateKey,
        *,
        offline: bool,
        when: float,
        likes: Sequence[Path] | None = None,
    ) -> None:
        """Lock a key and write it.

        Args:
            path: of the file.
            key: itself.
            offline: of which kind it is.
            when: wall seconds, becomes the file's time.
            likes: files whose passphrase it gets, see `Passphrases.replace`; None for a new hub's.

        Raises:
            UsageError: no passphrase for it.
            DiskError: it cannot be written.
            RefusedError: the folder makes it readable by others (a FAT stick); nothing is left.
        """
        salt, cost = os.urandom(SALT_BYTES), self.cost
        if likes is None:
            passphrase = self.passphrases.choose(offline=offline)
        else:
            passphrase = self.passphrases.replace([str(one) for one in likes], offline=offline)
        password = _password(passphrase, salt, cost)
        locked = key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password)
        )
        head = (
            f"bodycam-hub key: scrypt n={cost.n} r={cost.r} p={cost.p} salt={salt.hex()} "
            f"check={_check(password)}\n"
        )
        private_folder(path.parent)
        self.disk.write(path, head.encode() + locked, when=when, mode=0o600)
        try:
            read_secret(path, _MAX_BYTES)
        except RefusedError:
            self.disk.remove(path)
            raise
        self.passphrases.note(str(path), passphrase)

    def load(self, path: Path) -> PrivateKey:
        """Open a key file.

        Raises:
            MissingFileError: there is none.
            RefusedError: others may read it, or the passphrase is wrong.
            DataError: it is no such file, or not encrypted.
        """
        data = read_secret(path, _MAX_BYTES)
        if _BEGIN not in data:
            raise DataError(f"{path}: not an encrypted private key in PEM form (PKCS #8)")
        head = _head(path, data)
        damage: DataError | None = None
        try:
            for passphrase in self.passphrases.attempts(str(path)):
                try:
                    key = _open(path, data, head, passphrase)
                except DataError as error:  # one wrong passphrase in 256 decrypts to nonsense
                    damage = error
                    continue
                if key is not None:
                    self.passphrases.note(str(path), passphrase)
                    return key
        except RefusedError:
            if damage is None:
                raise
        raise damage or RefusedError(f"{path}: wrong passphrase")

    def one_passphrase(self, known: Path, other: Path) -> bool:
        """Whether what opened or locked one file opens another; nobody is asked."""
        passphrase = self.passphrases.of(str(known))
        try:
            data = read_secret(other, _MAX_BYTES)
            if passphrase is None or _BEGIN not in data:
                return False
            return _open(other, data, _head(other, data), passphrase) is not None
        except BodycamError:
            return False


@dataclass(frozen=True, slots=True)
class _Head:
    """The first line of a key file.

    Attributes:
        salt: `SALT_BYTES`; empty: another program wrote the file.
        cost: of a guess.
        check: of the password, hexadecimal; empty in older files.
    """

    salt: bytes = b""
    cost: ScryptCost = ScryptCost()  # noqa: RUF009 -- frozen
    check: str = ""


def _head(path: Path, data: bytes) -> _Head:
    found = _HEAD.match(data)
    if found is None:
        return _Head()
    n, r, p = (int(part) for part in found.groups()[:3])
    power = n > 1 and n & (n - 1) == 0
    if not power or not r or not p or 128 * n * r > _MAX_COST:
        raise DataError(f"{path}: its first line is damaged; restore a copy of the file")
    check = (found[5] or b"").decode()
    return _Head(bytes.fromhex(found[4].decode()), ScryptCost(n, r, p), check)


def _open(path: Path, data: bytes, head: _Head, passphrase: str) -> PrivateKey | None:
    """None when the passphrase is wrong."""
    password = passphrase.encode()
    if head.salt:
        password = _password(passphrase, head.salt, head.cost)
    if head.check and not hmac.compare_digest(head.check, _check(password)):
        return None
    try:
        key = load_pem_private_key(data[data.index(_BEGIN) :], password)
    except ValueError as error:
        unlike = "decrypt" in str(error).lower() or "password" in str(error).lower()
        if unlike and not head.check:
            return None
        raise DataError(f"{path}: damaged; restore a copy of the file") from None
    if not isinstance(key, Ed25519PrivateKey | X25519PrivateKey):
        raise DataError(f"{path}: expected an Ed25519 key")
    return key


def _check(password: bytes) -> str:
    return hmac.digest(password, _CHECK, "sha256")[:4].hex()


def _password(passphrase: str, salt: bytes, cost: ScryptCost) -> bytes:
    return passphrase_key(passphrase, salt, cost).hex().encode()
