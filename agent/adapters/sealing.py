"""Encryption, by the `cryptography` library alone: nothing here is of our own making.

Content (shards, manifests, the store): ChaCha20-Poly1305 (RFC 8439), which needs no AES
instructions to be fast. To a device or the hub: HPKE base mode (RFC 9180) over X25519,
HKDF-SHA256 and ChaCha20-Poly1305. From a passphrase: scrypt (RFC 7914).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from agent.errors import DataError

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
OVERHEAD: Final = NONCE_BYTES + 16
"""Bytes that `encrypt` adds: nonce and tag."""
SALT_BYTES: Final = 16

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class ScryptCost:
    """What a guess of a passphrase costs: 128 * n * r bytes of memory, and n * r * p of work."""

    n: int = 1 << 15
    r: int = 8
    p: int = 1


def new_key() -> bytes:
    """32 random bytes."""
    return os.urandom(KEY_BYTES)


def encrypt(key: bytes, data: Buffer, about: bytes) -> bytes:
    """Nonce, then ciphertext and tag. Each key is for few messages: the nonce is random.

    Args:
        key: 32 bytes.
        data: at most 2 GiB.
        about: what this is, authenticated with it; needed again to decrypt.
    """
    nonce = os.urandom(NONCE_BYTES)
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, data, about)


def decrypt(key: bytes, blob: Buffer, about: bytes) -> bytes:
    """What `encrypt` was given.

    Raises:
        DataError: another key, another `about`, or a changed byte.
    """
    if len(blob) < OVERHEAD:
        raise DataError("encrypted data: cut short")
    view = memoryview(blob)
    try:
        return ChaCha20Poly1305(key).decrypt(bytes(view[:NONCE_BYTES]), view[NONCE_BYTES:], about)
    except InvalidTag:
        raise DataError("encrypted data: damaged, or not for this key") from None


def seal(public_key: bytes, data: bytes, info: bytes) -> bytes:
    """For the owner of the X25519 key alone.

    Args:
        public_key: 32 bytes.
        data: what to seal.
        info: what this is; needed again to unseal.

    Raises:
        DataError: that is no X25519 public key.
    """
    try:
        return _SUITE.encrypt(data, X25519PublicKey.from_public_bytes(public_key), info)
    except ValueError:
        raise DataError("not an X25519 public key") from None


def unseal(private_key: X25519PrivateKey, blob: bytes, info: bytes) -> bytes:
    """What `seal` was given.

    Raises:
        DataError: sealed to another key, for another purpose, or changed.
    """
    try:
        return _SUITE.decrypt(blob, private_key, info)
    except (InvalidTag, ValueError):
        raise DataError("sealed data: damaged, or not for this device") from None


def passphrase_key(passphrase: str, salt: bytes, cost: ScryptCost) -> bytes:
    """32 bytes from a passphrase and a random salt of `SALT_BYTES`."""
    scrypt = Scrypt(salt=salt, length=KEY_BYTES, n=cost.n, r=cost.r, p=cost.p)
    return scrypt.derive(passphrase.encode())


def key_id(public_key: bytes) -> str:
    """Name of a public key: the first 16 bytes of its sha256, hexadecimal."""
    return hashlib.sha256(public_key).hexdigest()[:32]
