"""The device's battery and heat."""

from __future__ import annotations

from typing import Protocol

from agent.values.hardware import HardwareState


class Hardware(Protocol):
    def read(self) -> HardwareState:
        """What it is like now. What cannot be read is None; never raises."""
