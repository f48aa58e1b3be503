"""Ed25519 signatures (RFC 8032) of messages, by the `cryptography` library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent.adapters.sealing import key_id
from agent.messages.signed import signable, to_bytes, to_text


class Signs(Protocol):
    """Has an Ed25519 key; `agent.adapters.device_keys.DeviceKeys` is one."""

    @property
    def sign_key(self) -> bytes:
        """Ed25519 public key, 32 bytes."""

    def sign(self, data: bytes) -> bytes:
        """Ed25519 signature, 64 bytes."""


class KeySigner:
    """Signs with a private key at hand, such as the hub's. Its repr shows nothing."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    @property
    def sign_key(self) -> bytes:
        return self._private.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        return self._private.sign(data)


def signed(message: Mapping[str, Any], signer: Signs) -> dict[str, Any]:
    """The message with `signer` and `signature`.

    Args:
        message: JSON values; what it says of these two is replaced.
        signer: whose word it is.
    """
    named = {**message, "signer": key_id(signer.sign_key)}
    return {**named, "signature": to_text(signer.sign(signable(named)))}


def is_signed(message: Mapping[str, Any], public_key: bytes) -> bool:
    """Whether the message, as it arrived, is signed by the owner of this key.

    Args:
        message: parsed JSON.
        public_key: Ed25519, 32 bytes.
    """
    try:
        return verify(public_key, signable(message), to_bytes(message["signature"]))
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return False


def verify(public_key: bytes, data: bytes, signature: bytes) -> bool:
    """Whether the owner of an Ed25519 key signed these bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
