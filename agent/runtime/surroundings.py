"""What the pipeline loop reports to, and asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from agent.delivery import EventWriter
from agent.delivery.health import tens
from agent.ports import Clock, Outbox
from agent.ports.log import Log
from agent.runtime.board import Board
from agent.runtime.heartbeats import Heartbeats
from agent.values.place import Fix


class Ledger(Protocol):
    """The audit log."""

    def append(self, kind: str, **fields: str | int) -> object: ...


class Monitor(Protocol):
    """Of false alerts: see `agent.runtime.fpir_watch.FpirWatch`."""

    def seen(self, tracks: int) -> None: ...

    def raised(self, event: str) -> None: ...

    def exceeded(self) -> str | None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What the pipeline loop reports to, and asks.

    Attributes:
        outbox: alerts are committed here.
        notify: tells delivery of a committed event.
        events: writes them, in clear or sealed.
        ledger: the audit log.
        monitor: of false alerts.
        board, heartbeats, log, clock: as everywhere.
        uid: of the agent itself, for what nobody asked for.
        networks: sha256 of detector and embedder, as records of arming cite them.
        here: where the device is, for alerts; None: not known.
        coarse: a count of people as it may be kept.
    """

    outbox: Outbox
    notify: Callable[[str], None]
    events: EventWriter
    ledger: Ledger
    monitor: Monitor
    board: Board
    heartbeats: Heartbeats
    log: Log
    clock: Clock
    uid: int
    networks: Mapping[str, str] = field(default_factory=dict)
    here: Callable[[], Fix | None] = lambda: None
    coarse: Callable[[int], int] = tens
