"""The provisioned device's secrets while the agent runs: locked, then open until power-off."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from agent.adapters.keystore import Keystore
from agent.adapters.rules_store import RulesStore
from agent.adapters.sealed_store import SealedListStore
from agent.app.context import Context
from agent.config import Config
from agent.errors import BodycamError, RefusedError, UsageError
from agent.messages.control import ControlRequest
from agent.messages.provisioning import Unlock
from agent.policy import FIELD_TEST, Policy
from agent.ports import Clock
from agent.watchlist.arrival import ArrivalRules

LISTS = "lists"
_MB = 1_000_000


class Ledger(Protocol):
    """The audit log."""

    def append(self, kind: str, **fields: str | int) -> object: ...


def rules_of(policy: Policy) -> ArrivalRules:
    """What a policy says about lists."""
    return ArrivalRules(policy.bases, policy.purposes, policy.max_templates, policy.max_list_age_s)


def open_store(
    state_dir: Path, keystore: Keystore, config: Config, policy: Policy, space: str
) -> SealedListStore:
    """The list of an unlocked device.

    Raises:
        RefusedError: it is locked.
        DataError, DiskError: it cannot be opened.
    """
    return SealedListStore(
        state_dir / LISTS,
        keystore.keys,
        rules=rules_of(policy),
        space=space,
        quota_bytes=int(config.sync.quota_mb * _MB),
    )


def require_unlock_as_configured(unlock: Unlock, config: Config) -> None:
    """Whether the store is unlocked in the way that the configuration asks for.

    Raises:
        RefusedError: it is not.
    """
    wanted = config.store.unlock
    if wanted not in ("as-provisioned", unlock):
        raise RefusedError(
            f"store.unlock is {wanted!r}, but this device was provisioned with {unlock!r}: wipe "
            "it and provision it again"
        )


class Vault:
    """Keystore, store and rules of a running agent. Safe to use from all threads.

    Args:
        keystore: of this device.
        opener: opens the store once the keys are there, for lists under a policy.
        rules: where the agency's rules are kept.

    Attributes:
        policy: that lists are held to.
    """

    def __init__(
        self,
        keystore: Keystore,
        opener: Callable[[Policy], SealedListStore],
        rules: RulesStore,
    ) -> None:
        self.keystore = keystore
        self.rules = rules
        self.policy = FIELD_TEST
        self._opener = opener
        self._lock = threading.Lock()
        self._store: SealedListStore | None = None

    @property
    def locked(self) -> str:
        """How to unlock it; empty when it is open."""
        if not self.keystore.locked:
            return ""
        return f"the store is locked: {self.keystore.how_to_unlock}"

    def store(self) -> SealedListStore:
        """The store, opened at the first call after it was unlocked.

        Raises:
            RefusedError: it is locked.
            DataError, DiskError: it cannot be opened.
        """
        with self._lock:
            if self._store is None:
                if self.locked:
                    raise RefusedError(self.locked)
                self._store = self._opener(self.policy)
            return self._store

    def digest(self) -> str:
        """Hash of that policy."""
        return self.policy.sha256()

    def hold_to(self, policy: Policy) -> None:
        """Lists are held to this policy from now on."""
        with self._lock:
            self.policy = policy
            if self._store is not None:
                self._store.hold_to(rules_of(policy))

    def close(self) -> None:
        """Lock again."""
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None
            self.keystore.close()


def vault_of(context: Context, space: str) -> Vault:
    """The vault of a provisioned device, locked or not. To be closed.

    Args:
        context: of the command.
        space: family of the embedder in use.

    Raises:
        RefusedError: `store.unlock` asks for another way, or others can read the keys.
        BodycamError: the identity is missing or damaged.
    """
    keystore, config = context.keystore(), context.config
    require_unlock_as_configured(keystore.identity.unlock, config)

    def opener(policy: Policy) -> SealedListStore:
        return open_store(context.state_dir, keystore, config, policy, space)

    return Vault(keystore, opener, RulesStore(context.keys_dir, lambda: keystore.keys))


class Unlocking:
    """Answers `ctl unlock`.

    Args:
        vault: to be opened.
        ledger: the audit log: an unlocking that cannot be recorded does not happen.
        clock: for the time of a request.
        opened: called after the store was unlocked.
    """

    def __init__(
        self, vault: Vault, ledger: Ledger, clock: Clock, opened: Callable[[], None]
    ) -> None:
        self._vault = vault
        self._ledger = ledger
        self._clock = clock
        self._opened = opened

    def __call__(self, request: ControlRequest, uid: int) -> dict[str, Any]:
        """Carry out one request of the user `uid`; the answer's data.

        Raises:
            RefusedError: a wrong passphrase or release; recorded.
            UsageError: nothing to unlock with.
        """
        if request.ask_release:
            asked = self._vault.keystore.unlock_request(now=self._clock.wall())
            return {"request": asked.model_dump(mode="json")}
        already = not self._vault.locked
        if not already:
            self._unlock(request, uid)
        return {"unlocked": True, "already": already}

    def _unlock(self, request: ControlRequest, uid: int) -> None:
        try:
            how = self._open(request)
        except BodycamError as error:
            self._ledger.append("refusal", what="unlock", reason=str(error)[:200], uid=uid)
            raise
        try:
            self._ledger.append("unlock", how=how, uid=uid)
        except BaseException:
            self._vault.close()
            raise
        self._opened()

    def _open(self, request: ControlRequest) -> str:
        keystore = self._vault.keystore
        if request.release is not None:
            keystore.unlock_with_release(request.release)
            return "hub"
        if not request.passphrase:
            raise UsageError(f"nothing to unlock with: {keystore.how_to_unlock}")
        keystore.unlock_with_passphrase(request.passphrase)
        return "operator"
