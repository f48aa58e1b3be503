"""Which precision is faster on this very device: a measurement of a few seconds."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

Clock = Callable[[], float]
WORTHWHILE = 0.97
"""int8 must need less than this share of fp32's time: at a tie the exact one is better."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Median seconds per call of one role, by precision."""

    seconds: dict[str, float]

    @property
    def faster(self) -> str:
        return "int8" if self.seconds["int8"] < WORTHWHILE * self.seconds["fp32"] else "fp32"


def take_turns(
    calls: Mapping[str, Callable[[], object]], clock: Clock, *, rounds: int = 15
) -> Measured:
    """Time each call in turn, so that whatever else the machine does hits all alike.

    Args:
        calls: by precision; each is first called twice to warm up.
        clock: seconds.
        rounds: how often each is timed.
    """
    for call in calls.values():
        call()
        call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = clock()
            call()
            taken[name].append(clock() - start)
    return Measured({name: median(times) for name, times in taken.items()})


def processor() -> str:
    """The processor's or the board's name, as the kernel gives it."""
    try:
        return Path("/proc/device-tree/model").read_text("utf-8").rstrip("\0\n")
    except (OSError, UnicodeDecodeError):
        pass
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
