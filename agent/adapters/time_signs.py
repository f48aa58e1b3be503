"""What of this machine vouches for its clock: the kernel's word, and a hardware clock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from agent.adapters.kernel_time import ClockState, clock_state
from agent.policy.trusted_time import TimeSigns
from agent.values import Wall

RTC: Final = Path("/sys/class/rtc/rtc0/since_epoch")
"""Whole wall seconds (Linux, Documentation/ABI/testing/sysfs-class-rtc)."""


def time_signs(kernel: Callable[[], ClockState] = clock_state, rtc: Path = RTC) -> TimeSigns:
    """As they are now.

    Args:
        kernel: whether a time server sets the clock.
        rtc: file of the hardware clock.
    """
    try:
        hardware: Wall | None = Wall(float(rtc.read_text()))
    except (OSError, ValueError):
        hardware = None
    return TimeSigns(kernel() == "synchronised", hardware)
