"""Where the device is."""

from __future__ import annotations

from typing import Protocol

from agent.values.place import Fix


class Places(Protocol):
    """A receiver of positions; how old a fix may be is its user's to judge."""

    def latest(self) -> Fix | None:
        """The newest fix; None before the first. Never waits."""
