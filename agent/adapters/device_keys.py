"""The secrets of an unlocked device: in memory only, and as little copied as Python allows."""

from __future__ import annotations

import hmac
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.adapters.sealing import KEY_BYTES, decrypt, encrypt, new_key, unseal
from agent.errors import RefusedError

PRIVATE_BYTES: Final = 2 * KEY_BYTES
"""X25519 and Ed25519 private keys, raw, one behind the other."""


class DeviceKeys:
    """The store key and the device's two private keys. Its repr shows nothing.

    `close` overwrites the store key; copies inside libraries are out of reach, so this is the
    best that can be done, not a promise.

    Args:
        store_key: 32 bytes.
        private: `PRIVATE_BYTES`.
    """

    def __init__(self, store_key: bytes, private: bytes) -> None:
        self._store_key = bytearray(store_key)
        self._seal = X25519PrivateKey.from_private_bytes(private[:KEY_BYTES])
        self._sign = Ed25519PrivateKey.from_private_bytes(private[KEY_BYTES:])
        self._closed = False

    @classmethod
    def new(cls) -> DeviceKeys:
        """Three new keys."""
        return cls(new_key(), new_key() + new_key())

    def __repr__(self) -> str:
        return "DeviceKeys(closed)" if self._closed else "DeviceKeys(open)"

    def __reduce__(self) -> str:
        raise TypeError("keys are never written anywhere")

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def seal_key(self) -> bytes:
        """X25519 public key, 32 bytes."""
        return self._seal.public_key().public_bytes_raw()

    @property
    def sign_key(self) -> bytes:
        """Ed25519 public key, 32 bytes."""
        return self._sign.public_key().public_bytes_raw()

    def encrypt(self, data: bytes, about: bytes) -> bytes:
        """Under the store key, see `sealing.encrypt`."""
        return encrypt(self._key(), data, about)

    def decrypt(self, blob: bytes, about: bytes) -> bytes:
        """What `encrypt` was given.

        Raises:
            DataError: another key, another `about`, or a changed byte.
        """
        return decrypt(self._key(), blob, about)

    def mac(self, data: bytes, about: bytes) -> str:
        """A keyed hash that only this device can make: HMAC-SHA256, hexadecimal.

        Its key is derived from the store key, by HMAC as well, so that none serves two ends.

        Args:
            data: to be hashed.
            about: what this is.
        """
        key = hmac.digest(self._key(), b"bodycam.mac.v1/" + about, "sha256")
        return hmac.digest(key, data, "sha256").hex()

    def unseal(self, blob: bytes, info: bytes) -> bytes:
        """What was sealed to this device, see `sealing.unseal`.

        Raises:
            DataError: sealed to another key, for another purpose, or changed.
        """
        self._key()
        return unseal(self._seal, blob, info)

    def sign(self, data: bytes) -> bytes:
        """Ed25519 signature, 64 bytes."""
        self._key()
        return self._sign.sign(data)

    def export_private(self) -> bytes:
        """`PRIVATE_BYTES`, for the keystore to lock away."""
        return self._seal.private_bytes_raw() + self._sign.private_bytes_raw()

    def export_store_key(self) -> bytes:
        """32 bytes, for the keystore to lock away."""
        return self._key()

    def close(self) -> None:
        """Forget the keys; every use from now on is refused."""
        self._store_key[:] = bytes(len(self._store_key))
        self._closed = True

    def _key(self) -> bytes:
        if self._closed:
            raise RefusedError("the store is locked")
        return bytes(self._store_key)
