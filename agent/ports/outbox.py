"""Events on disk."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, Protocol

from agent.values import Gap, Monotonic, OutboxCounts, OutboxEntry, Wall

TOLD: Final = "day/"
"""What the key of every count of events by subject and day begins with; no activation's does."""


class Outbox(Protocol):
    """Durable events. Every method that changes something returns after it is on disk.

    Events are given up only for want of room, time or an intact disk: lowest priority first, then
    the oldest. Each is counted until a gap event that tells of it is on disk.

    Raises:
        DiskError: storage failed.
    """

    def put(
        self,
        entry: OutboxEntry,
        *,
        cooldown: tuple[str, Monotonic] | None = None,
        told: tuple[str, Wall] | None = None,
    ) -> bool:
        """Commit an entry, and in the same transaction what is to be remembered with it.

        Args:
            entry: the event. An id that is already there is left as it is.
            cooldown: (key, monotonic seconds until which the key is cooling down).
            told: (prefix of a key, wall seconds): somebody was told about this subject then. The
                id is put behind the prefix; `cooldowns(prefix)` gives them back.

        Returns:
            whether it is on disk; False when it was given up for want of room, and counted.
        """

    def cooldown(self, key: str) -> tuple[str, Monotonic] | None:
        """The id of the event that set the mark for `key`, and until when; None without one."""

    def pending(self, limit: int, *, live_since: Monotonic | None = None) -> list[OutboxEntry]:
        """Entries to send, parked ones left out: those put after `live_since` in this boot
        first, then by priority, highest first, then oldest.
        """

    def purge(self, part: bytes, *, at: int = 0) -> int:
        """Erase what must not exist any more; how many. No gap event tells of it.

        Args:
            part: of the payload of what is erased, and of no other; not empty.
            at: where in the payload it stands, bytes from the beginning.
        """

    def forget_marks(self, *, but: str) -> None:
        """Erase the cool-down marks of every activation but the one whose keys begin so; empty:
        of every one. Counts by subject and day stay.
        """

    def present(self, ids: Collection[str]) -> set[str]:
        """Which of these ids are there and not parked."""

    def depth(self) -> int:
        """How many entries wait, parked ones included; what is no alert is not counted."""

    def counts(self) -> OutboxCounts: ...

    def attempted(self, *ids: str) -> None: ...

    def confirmed(self, *ids: str) -> set[str]:
        """They arrived: erase them. Returns the ids that were there."""

    def park(self, entry_id: str, reason: str) -> None: ...

    def unpark(self, entry_id: str | None = None) -> int:
        """Try a refused entry again, or all of them. Returns how many there were."""

    def expire(self, *, put_before: Monotonic, created_before: Wall) -> int:
        """Give up what is too old.

        Args:
            put_before: for entries of this boot, whose age the monotonic clock proves.
            created_before: for those of an earlier boot, which have the wall clock only.

        Returns:
            how many were given up.
        """

    def forget_old(self, before: Wall) -> int:
        """Erase every mark of an event raised before then, and every damaged outbox that was set
        aside before. Returns how many outboxes.
        """

    def report_gap(self, make: Callable[[Gap], OutboxEntry]) -> str | None:
        """Turn what was given up into one gap event, in one transaction.

        Returns:
            its id; None when there is nothing to tell, or an earlier gap event still waits.
        """

    def tidy(self) -> None:
        """Let go of what erased entries left behind."""
