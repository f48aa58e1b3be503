"""The outbox and the audit log on one disk, with a reserve for when it is full."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Literal, Protocol

from agent.adapters.audit_log import AuditLog
from agent.adapters.outbox_sqlite import Salvage, SqliteOutbox
from agent.adapters.reserve import Reserve
from agent.adapters.reserved_ledger import ReservedLedger
from agent.config import Config
from agent.errors import DiskError
from agent.ports import Clock
from agent.ports.log import Log
from agent.runtime.storage_watch import StorageWatch

_MB = 1_000_000


class Ledger(Protocol):
    """The audit log, in the reserve or without one."""

    def append(self, kind: str, **fields: str | int) -> object: ...


class Storage:
    """Opens what has to be on disk.

    Args:
        state_dir: its folder.
        config: bounds of the outbox, and the size of the reserve.
        audit: the audit log; wrapped, see `ledger`.
        clock: of the device.
        log: told of damage and of a full disk.
        undo: closes the outbox.

    Attributes:
        ledger: the audit log for everything that runs.
        outbox: the events.
        watch: to be attached to board and pipeline.

    Raises:
        DiskError: the outbox cannot be opened.
        DataError: a newer agent made it.
    """

    def __init__(
        self,
        state_dir: Path,
        config: Config,
        audit: AuditLog,
        *,
        clock: Clock,
        log: Log,
        undo: ExitStack,
    ) -> None:
        self._log = log
        self.watch = StorageWatch(log)
        size = int(config.storage.reserve_mb * _MB)
        self._reserve = Reserve(state_dir / "reserve", size, self.watch) if size else None
        if self._reserve is not None and not self._reserve.take():
            self._reserve.release()  # what is left of the disk is what is left of the reserve
        self._reserved = ReservedLedger(audit, self._reserve) if self._reserve else None
        self.ledger: Ledger = self._reserved or audit
        self.outbox = SqliteOutbox(
            state_dir / "outbox.sqlite",
            clock=clock,
            max_events=config.delivery.max_events,
            max_bytes=int(config.delivery.max_mb * _MB),
            reserve=self._reserve,
            on_salvage=self._salvaged,
        )
        undo.callback(self.outbox.close)

    @property
    def reserve_state(self) -> Literal["held", "in-use", "used-up", "none"]:
        """Of what is set aside for a full disk."""
        if self._reserve is None:
            return "none"
        if self._reserve.exhausted:
            return "used-up"
        return "held" if self._reserve.held else "in-use"

    def keep_going(self, write: Callable[[], None]) -> None:
        """Carry out a write for which the reserve is let go if the disk is full.

        Raises:
            DiskError: not even then.
        """
        if self._reserve is None:
            write()
        else:
            self._reserve.keep_going(write)

    def upkeep(self) -> None:
        """Take the reserve back when there is space, and write what had to wait for that; to be
        called every few seconds.
        """
        if self._reserve is not None:
            self._reserve.take()
        if self._reserved is not None:
            self._reserved.catch_up()

    def _salvaged(self, salvage: Salvage) -> None:
        self._log.error(
            "the outbox was damaged and set aside; what was whole in it was taken over",
            source=str(salvage.aside),
            entries=salvage.recovered,
            dropped=salvage.lost,
        )
        if salvage.lost or not salvage.exact:
            with suppress(DiskError):  # it is in the outbox too, and becomes a gap event
                self.ledger.append("gap", events=salvage.lost, reason="the outbox was damaged")
