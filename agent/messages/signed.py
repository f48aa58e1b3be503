"""What signed messages have in common: the bytes that a signature covers, and how bytes are text.

A signature is Ed25519 (RFC 8032) over canonical JSON of the whole message without `signature`:
sorted keys, no spaces, ASCII. It is checked over what arrived, before anything is believed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field

from agent.messages.bundle import KeyId
from agent.messages.provisioning import Slug

SIGNATURE_BYTES: Final = 64
SignatureText = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{86}==$")]
"""64 bytes in base64, without line breaks."""
Signer = KeyId
"""Name of the Ed25519 public key: the first 16 bytes of its sha256."""

__all__ = ["SIGNATURE_BYTES", "SignatureText", "Signer", "Slug", "signable", "to_bytes", "to_text"]


def signable(message: Mapping[str, Any]) -> bytes:
    """The bytes that the signature of a message covers.

    Raises:
        ValueError: it holds what JSON cannot say.
    """
    rest = {key: value for key, value in message.items() if key != "signature"}
    return json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def to_text(data: bytes) -> str:
    """Base64 (RFC 4648, 4) on one line."""
    return base64.b64encode(data).decode("ascii")


def to_bytes(text: str) -> bytes:
    """What `to_text` was given.

    Raises:
        ValueError: not base64, or with anything between.
    """
    return base64.b64decode(text.encode("ascii"), validate=True)
