"""The agency's end of provisioning, as far as a device sees it."""

from __future__ import annotations

from datetime import datetime, timezone

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root

from agent.adapters.device_identity import base64_of
from agent.adapters.sealing import seal, unseal
from agent.messages.provisioning import (
    ProvisioningFile,
    ProvisioningRequest,
    Unlock,
    UnlockRelease,
    UnlockRequest,
    release_info,
    store_key_info,
)

TOKEN = bytes(range(32))


class AgencyKeys:
    """Opens events, and signs acknowledgements and commands."""

    def __init__(self) -> None:
        self.alerts = X25519PrivateKey.generate()
        self.acks = Ed25519PrivateKey.generate()
        self.commands = Ed25519PrivateKey.generate()


AGENCY_KEYS = AgencyKeys()
PASSPHRASE = "correct horse"


class Hub:
    """Holds the release key, and opens stores."""

    def __init__(self) -> None:
        self.private = X25519PrivateKey.generate()

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    def release(self, answer: ProvisioningRequest, asked: UnlockRequest) -> UnlockRelease:
        assert answer.store_key is not None
        store_key = unseal(
            self.private, answer.store_key, store_key_info(answer.agency, answer.device)
        )
        info = release_info(asked.agency, asked.device, asked.ephemeral)
        sealed = seal(asked.ephemeral, store_key, info)
        return UnlockRelease(agency=asked.agency, device=asked.device, sealed=base64_of(sealed))


def a_root(*, signed: bool = True) -> bytes:
    """TUF root metadata under one key."""
    signer = CryptoSigner.generate_ed25519()
    root = Root(expires=datetime(2099, 1, 1, tzinfo=timezone.utc))
    for role in ("root", "targets", "snapshot", "timestamp"):
        root.add_key(signer.public_key, role)
    metadata = Metadata(root)
    if signed:
        metadata.sign(signer)
    return metadata.to_bytes()


def a_file(
    unlock: Unlock = "device",
    hub: Hub | None = None,
    *,
    root: bytes = b"{}",
    token_not_after: float = 32_000_000_000.0,
) -> ProvisioningFile:
    return ProvisioningFile(
        agency="agency",
        device="cam-7",
        url="https://lists.example.org",
        root=base64_of(root),
        release_key=base64_of((hub or Hub()).public),
        alert_key=base64_of(AGENCY_KEYS.alerts.public_key().public_bytes_raw()),
        ack_key=base64_of(AGENCY_KEYS.acks.public_key().public_bytes_raw()),
        token=base64_of(TOKEN),
        token_not_after=token_not_after,
        unlock=unlock,
    )
