"""How a device comes in, and how its store is unlocked: tokens, requests, releases."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.adapters.sealing import KEY_BYTES, key_id, seal, unseal
from agent.errors import DataError, RefusedError, UsageError
from agent.hub.database import HubDatabase
from agent.hub.devices import Device, Devices
from agent.messages.provisioning import (
    ProvisioningRequest,
    UnlockRequest,
    authenticated,
    release_info,
    store_key_info,
)

_MAX_REQUEST_AGE_S: Final = 86_400.0


class Admission:
    """Gives out tokens, takes in requests, releases store keys.

    Tokens are kept sealed to the release key: whoever reads the database, or a backup of it,
    cannot answer for a device.

    Args:
        database: of the hub.
        devices: the register in it.
        agency: whose hub this is.
        release_public: X25519 public key, 32 bytes.
    """

    def __init__(
        self, database: HubDatabase, devices: Devices, agency: str, release_public: bytes
    ) -> None:
        self._database = database
        self._devices = devices
        self._agency = agency
        self._release_public = release_public

    def issue_token(
        self,
        name: str,
        unlock: str,
        *,
        not_after: float,
        randomness: Callable[[int], bytes],
        event_keys: tuple[bytes, bytes],
    ) -> bytes:
        """A token of 32 bytes that a device may answer with once; an older one is void.

        Args:
            name: of the device.
            unlock: where the key of its store will come from.
            not_after: wall seconds.
            randomness: so many random bytes.
            event_keys: the public `alerts` and `acks` keys that the device is given with it.

        Raises:
            UsageError: there is such a device already.
        """
        if self._devices.find(name) is not None:
            raise UsageError(f"{name}: is registered; first `bodycam-hub devices remove {name}`")
        token = randomness(KEY_BYTES)
        sealed = seal(self._release_public, token, self._token_info(name))
        with self._database.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO token (device, sealed, unlock, not_after, alert_key,"
                " ack_key) VALUES (?, ?, ?, ?, ?, ?)",
                (name, sealed, unlock, not_after, *event_keys),
            )
        return token

    def add(
        self,
        request: ProvisioningRequest,
        release_key: X25519PrivateKey,
        *,
        lists: Sequence[str] = (),
        now: float,
    ) -> Device:
        """Register a device by its answer to a token.

        Args:
            request: the device's answer.
            release_key: of the hub.
            lists: the only ones it may read; every list when empty.
            now: wall seconds.

        Raises:
            RefusedError: no token, one that was used or is over, or a request that was changed.
            DataError: for another agency, or its store key is not sealed to this hub.
        """
        if request.agency != self._agency:
            raise DataError(f"request: for agency {request.agency}, this is {self._agency}")
        self._check_token(request, release_key, now)
        self._check_store_key(request, release_key)
        identity = key_id(request.seal_key)
        with self._database.change_of_devices(now=now) as db:
            if db.execute("SELECT 1 FROM device WHERE key_id = ?", (identity,)).fetchone():
                raise RefusedError(
                    f"{request.device}: this key was registered before; provision it anew"
                )
            row = (request.device, request.seal_key, request.sign_key, request.unlock)
            db.execute(
                "INSERT INTO device (key_id, name, seal_key, sign_key, unlock, store_key, added_at,"
                " alert_key, ack_key) SELECT ?, ?, ?, ?, ?, ?, ?, alert_key, ack_key FROM token"
                " WHERE device = ?",
                (identity, *row, request.store_key, now, request.device),
            )
            db.executemany(
                "INSERT OR IGNORE INTO assigned VALUES (?, ?)", [(identity, one) for one in lists]
            )
            db.execute("UPDATE token SET used_at = ? WHERE device = ?", (now, request.device))
        return self._devices.get(request.device)

    def release(
        self, request: UnlockRequest, release_key: X25519PrivateKey, *, now: float
    ) -> bytes:
        """The store key of a device, sealed to the key of its request.

        Raises:
            UsageError: there is no such device.
            RefusedError: the hub does not unlock it, or the request is not of today.
            DataError: for another agency; or its store key is damaged.
        """
        if request.agency != self._agency:
            raise DataError(f"request: for agency {request.agency}, this is {self._agency}")
        device = self._devices.get(request.device)
        if device.store_key is None:
            raise RefusedError(f"{device.name}: its store is unlocked by {device.unlock}, not here")
        if abs(now - request.created) > _MAX_REQUEST_AGE_S:
            raise RefusedError(f"{device.name}: the request is not of today; make a new one")
        info = store_key_info(self._agency, device.name)
        store_key = unseal(release_key, device.store_key, info)
        bound = release_info(self._agency, device.name, request.ephemeral)
        sealed = seal(request.ephemeral, store_key, bound)
        with self._database.transaction() as db:
            db.execute(
                "UPDATE device SET released_at = ?, releases = releases + 1 WHERE key_id = ?",
                (now, device.key_id),
            )
        return sealed

    def change_release_key(self, old: X25519PrivateKey, new_public: bytes) -> int:
        """Seal what is sealed to the release key to another one; tokens not used are void.

        Args:
            old: the release key so far.
            new_public: of the next one, whose file is on disk.

        Returns:
            how many store keys were sealed anew.

        Raises:
            DataError: one of them is damaged; nothing has changed.
        """
        with self._database.transaction() as db:
            rows = db.execute(
                "SELECT key_id, name, store_key FROM device WHERE store_key IS NOT NULL"
            ).fetchall()
            for identity, name, sealed in rows:
                info = store_key_info(self._agency, name)
                anew = seal(new_public, unseal(old, sealed, info), info)
                db.execute("UPDATE device SET store_key = ? WHERE key_id = ?", (anew, identity))
            db.execute("DELETE FROM token WHERE used_at IS NULL")
            db.execute("UPDATE setting SET value = ? WHERE key = 'release'", (new_public.hex(),))
        self._database.empty_log()
        self._release_public = new_public
        return len(rows)

    def _check_token(
        self, request: ProvisioningRequest, release_key: X25519PrivateKey, now: float
    ) -> None:
        name = request.device
        rows = self._database.read(
            "SELECT sealed, unlock, not_after, used_at FROM token WHERE device = ?", name
        )
        if not rows:
            raise RefusedError(f"{name}: no token was given out; run `bodycam-hub devices token`")
        sealed, unlock, not_after, used_at = rows[0]
        if used_at is not None:
            raise RefusedError(f"{name}: its token was used already; give it a new one")
        if now >= not_after:
            raise RefusedError(f"{name}: its token is over; give it a new one")
        token = unseal(release_key, sealed, self._token_info(name))
        expected = hmac.new(token, authenticated(request), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, request.mac):
            raise RefusedError(
                f"{name}: the request was not made with the token given out, or was changed"
            )
        if request.unlock != unlock:
            raise RefusedError(f"{name}: asks for unlock {request.unlock}, was told {unlock}")

    def _check_store_key(self, request: ProvisioningRequest, release_key: X25519PrivateKey) -> None:
        if (request.unlock == "hub") != (request.store_key is not None):
            raise DataError(
                f"{request.device}: a store key belongs to unlock `hub` and to no other"
            )
        if request.store_key is not None:
            info = store_key_info(self._agency, request.device)
            if len(unseal(release_key, request.store_key, info)) != KEY_BYTES:
                raise DataError(f"{request.device}: its store key is not {KEY_BYTES} bytes")

    def _token_info(self, name: str) -> bytes:
        return f"bodycam.token.v1/{self._agency}/{name}".encode()
