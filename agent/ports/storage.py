"""What is told when the disk is full."""

from __future__ import annotations

from typing import Protocol


class StorageEvents(Protocol):
    """May be called from any thread that writes; each call at the change only."""

    def spending(self, problem: str) -> None:
        """The disk is full, and the reserve was let go so that writing goes on."""

    def exhausted(self, problem: str) -> None:
        """The reserve is used up as well: nothing more can be recorded. The device must disarm."""

    def restored(self) -> None:
        """There is space again, and the reserve is back."""
