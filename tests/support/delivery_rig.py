"""A delivery loop on a real outbox, with a scripted transport and a clock that stands still."""

from __future__ import annotations

from pathlib import Path

from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.delivery import Backoff, DeliveryCore, DeliveryLimits
from agent.errors import DiskError
from agent.runtime.delivery_loop import DeliveryLoop
from tests.support.alerts import an_entry, ulid
from tests.support.clocks import FakeClock
from tests.support.delivery_world import ScriptedTransport

LIMITS = DeliveryLimits(in_flight=2, ack_timeout_s=20.0, backoff=Backoff(0.5, 60.0))


class FailingDisk(SqliteOutbox):
    """An outbox whose disk can be full."""

    full = False

    def confirmed(self, *ids: str) -> set[str]:
        if self.full:
            raise DiskError("outbox: disk full; free some space")
        return super().confirmed(*ids)


class World:
    def __init__(
        self, folder: Path, limits: DeliveryLimits = LIMITS, bounds: int = 10_000, **options: object
    ) -> None:
        self.clock = FakeClock()
        path = folder / "outbox.sqlite"
        self.outbox = FailingDisk(path, clock=self.clock, boot="this", max_events=bounds)
        self.transport = ScriptedTransport()
        self.beats = 0
        core = DeliveryCore(limits, chance=lambda: 1.0)
        self.loop = DeliveryLoop(
            self.outbox, self.transport, core, self.clock, self.beat, **options
        )
        self.transport.events = self.loop

    def beat(self) -> None:
        self.beats += 1

    def raise_alert(self, number: int, priority: int = 0) -> None:
        self.outbox.put(an_entry(number, priority=priority, at=None))
        self.loop.notify(ulid(number))

    def turn(self) -> float:
        """Seconds until something is due."""
        return self.loop.turn(now=self.clock.monotonic()) - self.clock.monotonic()
