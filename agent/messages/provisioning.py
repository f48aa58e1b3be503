"""How a device and its agency come to know each other, and how a store is unlocked.

The file may lie on a card that anybody can swap. So the operator types the sha256 of the trust
root, and the file carries only a token that is good once.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from agent.messages.bundle import Key, Wall

Slug = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Unlock = Literal["device", "operator", "hub"]
Url = Annotated[str, Field(pattern=r"^https?://[^\s\x00-\x1f\x7f]{1,500}$")]
MAX_FILE = 1 << 20
"""Bytes of any of these files."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProvisioningFile(_Strict):
    """From the hub to a device, once.

    Attributes:
        url: of the agency's repository: `metadata/` and `targets/` lie below it.
        root: TUF root metadata, the bytes of the file. Its sha256 is what the operator types.
        release_key: the hub's X25519 public key.
        alert_key: X25519 public key that events are sealed to.
        ack_key: Ed25519 public key of the hub's acknowledgements.
        token: shows the hub that the answer comes from whom this was given to.
        token_not_after: wall seconds.
        unlock: where the key of the device's store comes from.
    """

    format: Literal["bodycam.provisioning.v1"] = "bodycam.provisioning.v1"
    agency: Slug
    device: Slug
    url: Url
    root: Base64Bytes = Field(max_length=512 << 10)
    release_key: Key
    alert_key: Key
    ack_key: Key
    token: Key = Field(repr=False)
    token_not_after: Wall
    unlock: Unlock


class ProvisioningRequest(_Strict):
    """The device's answer: its public keys.

    Attributes:
        seal_key: X25519 public key, for what is meant for this device alone.
        sign_key: Ed25519 public key of what it signs.
        store_key: sealed to the hub's release key; only where the hub unlocks the store.
        mac: HMAC-SHA256 of the rest under the token, hexadecimal.
    """

    format: Literal["bodycam.provisioning-request.v1"] = "bodycam.provisioning-request.v1"
    agency: Slug
    device: Slug
    seal_key: Key
    sign_key: Key
    unlock: Unlock
    store_key: Annotated[Base64Bytes, Field(max_length=256)] | None = None
    mac: str = Field(pattern=r"^[0-9a-f]{64}$")


class UnlockRequest(_Strict):
    """A device whose store is locked asks its hub.

    Attributes:
        ephemeral: X25519 public key made for this request; its private half is in memory only.
        created: wall seconds.
    """

    format: Literal["bodycam.unlock-request.v1"] = "bodycam.unlock-request.v1"
    agency: Slug
    device: Slug
    ephemeral: Key
    created: Wall


class UnlockRelease(_Strict):
    """The hub's answer.

    Attributes:
        sealed: the store key, to the ephemeral key of the request.
    """

    format: Literal["bodycam.unlock-release.v1"] = "bodycam.unlock-release.v1"
    agency: Slug
    device: Slug
    sealed: Base64Bytes = Field(max_length=256)


def authenticated(request: ProvisioningRequest) -> bytes:
    """The bytes of a request that its `mac` covers: canonical JSON without it."""
    rest: dict[str, Any] = request.model_dump(mode="json", exclude={"mac"})
    return json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()


def store_key_info(agency: str, device: str) -> bytes:
    """What the store key sealed to the hub is bound to."""
    return f"bodycam.store-key.v1/{agency}/{device}".encode()


def release_info(agency: str, device: str, ephemeral: bytes) -> bytes:
    """What a release is bound to."""
    return f"bodycam.unlock-release.v1/{agency}/{device}/{ephemeral.hex()}".encode()
