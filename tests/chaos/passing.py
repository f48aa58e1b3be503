"""Time that passes in a moment."""

from __future__ import annotations

from agent.adapters.clock import SystemClock
from agent.values import Monotonic, Wall


class PassingClock(SystemClock):
    """Both clocks of the kernel, `left_s` seconds before now; these are made to pass.

    The monotonic clock begins with the kernel's and ends ahead of it, the wall clock begins late
    and ends right.
    """

    def __init__(self, left_s: float) -> None:
        self._left_s = left_s
        self._passed_s = 0.0

    def monotonic(self) -> Monotonic:
        return Monotonic(super().monotonic() + self._passed_s)

    def wall(self) -> Wall:
        return Wall(super().wall() - self._left_s)

    def let_pass(self, seconds: float) -> None:
        self._passed_s += seconds
        self._left_s -= seconds
