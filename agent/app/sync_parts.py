"""What following a list needs, handed from the composition root to each look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent.adapters.device_keys import DeviceKeys
from agent.adapters.http_fetch import HttpSettings
from agent.adapters.sealed_store import SealedListStore
from agent.ports import Clock
from agent.runtime.rules_desk import RulesDesk

Progress = Callable[[int, int], None]
"""Told (bytes so far, bytes in all) of the shards of this look."""


class Ledger(Protocol):
    """The audit log."""

    def append(self, kind: str, **fields: str | int) -> object: ...


@dataclass(frozen=True, slots=True, eq=False)
class SyncParts:
    """What a look needs.

    Attributes:
        http: of the agency's repository.
        root: TUF root metadata as provisioned, bytes.
        folder: the state folder; `tuf/` and `incoming/` in it are ours, `lists/` is the store.
        list_id: to follow; empty: the only one sealed to this device.
        quota_bytes: what lists may take altogether, fetched and installed.
        key_id: of this device's envelope.
        keys: of the device, open.
        store, ledger, clock: as everywhere.
        rules: takes the policy and the authorisations; None: nobody does.
    """

    http: HttpSettings
    root: bytes
    folder: Path
    list_id: str
    quota_bytes: int
    key_id: str
    keys: DeviceKeys
    store: SealedListStore
    ledger: Ledger
    clock: Clock
    rules: RulesDesk | None = None

    @property
    def metadata(self) -> Path:
        return self.folder / "tuf"

    @property
    def incoming(self) -> Path:
        return self.folder / "incoming"
