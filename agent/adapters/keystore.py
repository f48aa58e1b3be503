"""The keys of a provisioned device, locked or open.

Open means in memory only: with `unlock: operator` or `hub` they are gone when the power is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.adapters.device_identity import (
    base64_of,
    open_passphrase,
    open_private,
    read_device_key,
    read_identity,
)
from agent.adapters.device_keys import DeviceKeys
from agent.adapters.sealing import unseal
from agent.errors import DataError, RefusedError
from agent.messages.provisioning import UnlockRelease, UnlockRequest, release_info
from agent.values import Monotonic, Wall

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0


class Keystore:
    """The identity in a folder, and its keys once they are open. Safe to use from all threads.

    With `unlock: device` it opens itself.

    Args:
        directory: `keys/` of the state folder.
        monotonic: seconds, for the pause between passphrases.

    Raises:
        RefusedError: the folder or a file in it can be read by others, or is a link.
        DataError, DiskError: damaged, or it cannot be read.
    """

    def __init__(self, directory: Path, monotonic: Callable[[], Monotonic]) -> None:
        self._directory = directory
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._keys: DeviceKeys | None = None
        self._ephemeral: X25519PrivateKey | None = None
        self._failures = 0
        self._not_before = Monotonic(0.0)
        self.identity = read_identity(directory)
        if self.identity.unlock == "device":
            self._open(read_device_key(directory))

    def __repr__(self) -> str:
        return f"Keystore({self.identity.device}, {'locked' if self.locked else 'open'})"

    @property
    def locked(self) -> bool:
        return self._keys is None

    @property
    def keys(self) -> DeviceKeys:
        """The keys, in memory.

        Raises:
            RefusedError: the store is locked.
        """
        keys = self._keys
        if keys is None:
            raise RefusedError(f"the store is locked: {self.how_to_unlock}")
        return keys

    @property
    def how_to_unlock(self) -> str:
        """What an operator does, in a few words."""
        if self.identity.unlock == "hub":
            return "ctl unlock --request FILE, then --release FILE from the hub"
        return "ctl unlock"

    def unlock_with_passphrase(self, passphrase: str) -> None:
        """Open the store; nothing happens when it is open.

        Raises:
            RefusedError: a wrong passphrase, too soon after one, or none can open this store.
            DataError, DiskError: the key file is damaged, or cannot be read.
        """
        if self.identity.unlock == "hub":
            raise RefusedError(f"no passphrase opens this store: {self.how_to_unlock}")
        with self._lock:
            if not self.locked:
                return
            self._require_patience()
            store_key = open_passphrase(self._directory, self.identity, passphrase)
            if store_key is None:
                raise RefusedError(f"wrong passphrase; the next try counts in {self._failed():g} s")
            self._failures = 0
            self._open(store_key)

    def unlock_request(self, *, now: Wall) -> UnlockRequest:
        """Ask the hub; replaces an earlier request, whose answer then no longer fits.

        Raises:
            RefusedError: the hub does not hold the key of this store.
        """
        self._require_hub()
        ephemeral = X25519PrivateKey.generate()
        with self._lock:
            self._ephemeral = ephemeral
        return UnlockRequest(
            agency=self.identity.agency,
            device=self.identity.device,
            ephemeral=base64_of(ephemeral.public_key().public_bytes_raw()),
            created=now,
        )

    def unlock_with_release(self, release: UnlockRelease) -> None:
        """Open the store with the hub's answer; nothing happens when it is open.

        Raises:
            RefusedError: nothing was asked, or this answers another request or device.
            DataError, DiskError: a key file is damaged, or cannot be read.
        """
        self._require_hub()
        with self._lock:
            if not self.locked:
                return
            self._open(self._released(release))
            self._ephemeral = None

    def close(self) -> None:
        """Lock: the keys are forgotten."""
        with self._lock:
            if self._keys is not None:
                self._keys.close()
            self._keys = self._ephemeral = None

    def _open(self, store_key: bytes) -> None:
        self._keys = open_private(self._directory, self.identity, store_key)

    def _released(self, release: UnlockRelease) -> bytes:
        if self._ephemeral is None:
            raise RefusedError("this agent asked for no release: ctl unlock --request FILE first")
        public = self._ephemeral.public_key().public_bytes_raw()
        info = release_info(self.identity.agency, self.identity.device, public)
        try:
            return unseal(self._ephemeral, release.sealed, info)
        except DataError:
            raise RefusedError(
                "the release answers another request, or is for another device; ask the hub again"
            ) from None

    def _require_hub(self) -> None:
        if self.identity.unlock != "hub":
            raise RefusedError(f"the hub has no key of this store: {self.how_to_unlock}")

    def _require_patience(self) -> None:
        left = self._not_before - self._monotonic()
        if self._failures and left > 0:
            raise RefusedError(f"too soon after a wrong passphrase; wait {max(left, 0.1):.1f} s")

    def _failed(self) -> float:
        """Counts a wrong passphrase; the pause after it, s."""
        pause = min(_FIRST_PAUSE_S * 2.0**self._failures, _LONGEST_PAUSE_S)
        self._failures = min(self._failures + 1, 30)
        self._not_before = Monotonic(self._monotonic() + pause)
        return pause
