"""Whether every stage is alive: a stage that stalls stops the watchdog pings.

The service manager then restarts the whole agent, which is the only cure for a thread stuck in
a driver or in native code.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from agent.ports import Clock


class Heartbeats:
    """Last signs of life by stage.

    Args:
        clock: monotonic time is read.
        limits_s: for each stage, the longest silence that is still normal. A stage is watched
            from its first beat until it says that it is done.
    """

    def __init__(self, clock: Clock, limits_s: Mapping[str, float]) -> None:
        self._clock = clock
        self._limits = dict(limits_s)
        self._last: dict[str, float] = {}
        self._lock = threading.Lock()

    def beat(self, stage: str) -> None:
        if stage not in self._limits:
            raise ValueError(f"unknown stage {stage}")
        with self._lock:
            self._last[stage] = self._clock.monotonic()

    def done(self, stage: str) -> None:
        """The stage ended in good order; its silence means nothing any more."""
        with self._lock:
            self._last.pop(stage, None)

    def late(self) -> tuple[str, ...]:
        """The stages that have been silent for too long, by name."""
        now = self._clock.monotonic()
        with self._lock:
            return tuple(
                stage
                for stage, last in sorted(self._last.items())
                if now - last > self._limits[stage]
            )
