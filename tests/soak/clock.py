"""Time that runs faster, for whole processes: see faster.c."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("faster.c")
COMPILER = next((name for name in ("cc", "gcc", "g++") if shutil.which(name)), "")


@dataclass(frozen=True)
class DeviceClock:
    """The clocks of every process that is started in `environment`.

    Attributes:
        library: faster.c, compiled.
        speed: seconds of the device in one of ours.
        wall_ns, monotonic_ns: our clocks when the device's agreed with them.
    """

    library: Path
    speed: float
    wall_ns: int
    monotonic_ns: int

    def elapsed(self) -> float:
        """Seconds of the device since then."""
        return (time.monotonic_ns() - self.monotonic_ns) / 1e9 * self.speed

    def wall(self) -> float:
        """What the device takes for the time, seconds since 1970."""
        return self.wall_ns / 1e9 + self.elapsed()

    def environment(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "LD_PRELOAD": str(self.library),
            "FASTER_SPEED": str(self.speed),
            "FASTER_WALL": str(self.wall_ns),
            "FASTER_MONOTONIC": str(self.monotonic_ns),
        }


def compiled(folder: Path) -> Path:
    """The library, made anew."""
    library = folder / "faster.so"
    options = ["-x", "c", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run([COMPILER, *options], check=True, capture_output=True)
    return library


def from_now_on(library: Path, speed: float) -> DeviceClock:
    return DeviceClock(library, speed, time.time_ns(), time.monotonic_ns())
