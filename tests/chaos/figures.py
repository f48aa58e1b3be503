"""Figures of a run: how they are put together, said, and written down."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.chaos.device import DELIVERED

SHARES = {"p50": 0.5, "p95": 0.95, "max": 1.0}


def share(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    """The value that so many do not exceed; empty of nothing."""
    ordered = sorted(values)
    if not ordered:
        return {}
    return {
        name: round(ordered[math.ceil(part * len(ordered)) - 1], digits)
        for name, part in SHARES.items()
    }


def spread_ms(seconds: Sequence[float]) -> dict[str, float]:
    return share([1000 * each for each in seconds], 1)


def write(path: Path, figures: dict[str, Any], broken: Sequence[str]) -> int:
    """Say and keep them; the exit code."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**figures, "broken": list(broken)}, indent=2) + "\n")
    for key, value in figures.items():
        print(f"  {key.replace('_', ' '):<28}{value}")
    for line in broken:
        print(f"  BROKEN  {line}")
    print("  " + ("BROKEN" if broken else "as it must be"))
    return 1 if broken else 0


def delivered(folder: Path) -> list[tuple[str, float]]:
    """What the device's latest life was told of: id, monotonic seconds."""
    path = folder / DELIVERED
    return [tuple(one) for one in json.loads(path.read_text())] if path.exists() else []


def until(holds: Callable[[], bool], seconds: float) -> bool:
    """Wait for something, at most so long; whether it came."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
