"""A device that follows an agency's list, without a camera."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.adapters.audit_log import AuditLog
from agent.adapters.clock import SystemClock
from agent.adapters.device_keys import DeviceKeys
from agent.adapters.http_fetch import HttpSettings
from agent.adapters.sealed_store import SealedListStore
from agent.adapters.sealing import key_id
from agent.app.sync import ListSync
from agent.app.sync_parts import SyncParts
from agent.audit.chain import read_record
from agent.errors import BodycamError
from agent.values import Wall
from agent.values.sync import SyncReport
from agent.watchlist.arrival import ArrivalRules
from agent.watchlist.columns import text
from tests.support.clocks import FakeClock
from tests.support.lists import SPACE

RULES = ArrivalRules(("consent",), ("test",), 1000, math.inf)


class _RealSeconds:
    """Wall time stands still until told otherwise; sockets take as long as they take."""

    def __init__(self, clock: FakeClock) -> None:
        self.wall = clock.wall
        self.monotonic = SystemClock().monotonic


class SyncedDevice:
    """Follows the repository at `url`.

    Args:
        folder: its state folder.
        root: as provisioned.
    """

    def __init__(self, folder: Path, url: str, root: bytes, clock: FakeClock, **how: Any) -> None:
        self.folder = folder
        self.clock = clock
        self.keys = DeviceKeys.new()
        folder.mkdir(mode=0o700, exist_ok=True)
        self.store = SealedListStore(folder / "lists", self.keys, rules=RULES, space=SPACE)
        self.ledger = AuditLog(folder / "audit", clock)
        self.stopped = False
        self.parts = SyncParts(
            http=HttpSettings(url, timeout_s=how.pop("timeout_s", 5.0)),
            root=root,
            folder=folder,
            list_id=how.pop("list_id", ""),
            quota_bytes=how.pop("quota_bytes", 1 << 30),
            key_id=key_id(self.keys.seal_key),
            keys=self.keys,
            store=self.store,
            ledger=self.ledger,
            clock=_RealSeconds(clock),
        )
        self.sync = ListSync(self.parts)

    @property
    def public(self) -> bytes:
        return self.keys.seal_key

    def look(self, progress: Any = None) -> SyncReport:
        return self.sync.look(lambda seconds: self.stopped, progress)

    def restarted(self, **changes: Any) -> None:
        """Another process on the same folder, perhaps with another configuration."""
        self.sync = ListSync(replace(self.parts, **changes))

    def matched(self) -> tuple[str, int, tuple[str, ...]] | None:
        """Who would be matched now: list, version and entries; None for nobody."""
        try:
            stored = self.store.load(now=Wall(self.clock.wall_now))
        except BodycamError:
            return None
        names = tuple(sorted(text(one) for one in stored.columns.entry))
        return stored.id, stored.version, names

    def audited(self, kind: str = "") -> list[tuple[str, dict[str, Any]]]:
        records = [read_record(line) for line in self.ledger.lines()]
        return [(one["kind"], one["fields"]) for one in records if kind in ("", one["kind"])]

    def close(self) -> None:
        self.store.close()
        self.keys.close()
