"""Events on disk."""

from __future__ import annotations

from typing import Protocol

from agent.values import OutboxEntry, Wall


class Outbox(Protocol):
    """Durable events. Every method that changes something returns after it is on disk.

    Raises:
        DiskError: storage failed.
    """

    def put(self, entry: OutboxEntry, *, cooldown: tuple[str, Wall] | None = None) -> None:
        """Commit an entry, and in the same transaction its cool-down mark.

        Args:
            entry: the event. An id that is already there is left as it is.
            cooldown: (key, wall-clock seconds until which the key is cooling down).
        """

    def cooldown(self, key: str) -> tuple[str, Wall] | None:
        """The id of the event that set the mark for `key`, and until when; None without one."""

    def pending(self, limit: int) -> list[OutboxEntry]:
        """Entries to send: not parked, highest priority first, then oldest."""

    def depth(self) -> int:
        """How many entries wait, parked ones included."""

    def attempted(self, entry_id: str) -> None: ...

    def confirmed(self, entry_id: str) -> None: ...

    def park(self, entry_id: str, reason: str) -> None: ...
