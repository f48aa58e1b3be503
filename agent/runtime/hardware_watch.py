"""Tells when battery or heat cannot be read any more, and keeps the lamp as it should be."""

from __future__ import annotations

from typing import Final

from agent.ports.hardware import Hardware
from agent.ports.indicator import Indicator
from agent.ports.log import Log
from agent.values.hardware import HardwareState

_LOOKS: Final = 3
"""A gauge may be busy for a moment; so many looks in a row without an answer are a loss."""


class HardwareWatch:
    """`upkeep` for one thread.

    Args:
        hardware: battery and heat. What was never there is not missed.
        indicator: shows the state.
        log: told once of each loss and each return.
    """

    def __init__(self, hardware: Hardware, indicator: Indicator, log: Log) -> None:
        self._hardware = hardware
        self._indicator = indicator
        self._log = log
        self._missed: dict[str, int] = {}

    def upkeep(self) -> None:
        """To be called every few seconds."""
        self._indicator.refresh()
        found = self._hardware.read()
        for what, there in _seen(found).items():
            self._look(what, there)

    def _look(self, what: str, there: bool) -> None:
        missed = self._missed.get(what)
        if there:
            if missed is not None and missed >= _LOOKS:
                self._log.info(f"{what} can be read again")
            self._missed[what] = 0
        elif missed is not None:
            self._missed[what] = missed + 1
            if missed + 1 == _LOOKS:
                self._log.warning(f"{what} cannot be read any more; see hardware.sysfs_root")


def _seen(found: HardwareState) -> dict[str, bool]:
    return {"battery": found.battery is not None, "heat": found.temperature_c is not None}
