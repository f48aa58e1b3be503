"""A clock that stands still until told otherwise."""

from __future__ import annotations

from agent.values import Monotonic, Wall


class FakeClock:
    def __init__(self, monotonic: float = 1000.0, wall: float = 1_800_000_000.0) -> None:
        self.now = monotonic
        self.wall_now = wall

    def monotonic(self) -> Monotonic:
        return Monotonic(self.now)

    def wall(self) -> Wall:
        return Wall(self.wall_now)

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.wall_now += seconds
