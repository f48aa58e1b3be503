"""Time, passed in."""

from __future__ import annotations

from typing import Protocol

from agent.values import Monotonic, Wall


class Clock(Protocol):
    """The device's two clocks."""

    def monotonic(self) -> Monotonic: ...

    def wall(self) -> Wall: ...
