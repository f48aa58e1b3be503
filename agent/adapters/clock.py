"""The device's two clocks."""

from __future__ import annotations

import time

from agent.values import Monotonic, Wall


class SystemClock:
    """The kernel's monotonic and wall clock."""

    def monotonic(self) -> Monotonic:
        return Monotonic(time.monotonic())

    def wall(self) -> Wall:
        return Wall(time.time())
