"""What befalls camera, link and device during a shift, hour after hour. Values only."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

HOUR_S = 3600.0
Do = Literal["disarm", "arm", "publish", "sync", "report", "test-alert"]

_CAMERA: tuple[tuple[float, str], ...] = (
    # minutes into the hour; battery and charger
    (2, "plug=0"), (3, "battery=33"), (3, "cpu=0.9"), (9, "battery=11"), (13, "plug=20"),
    (14, "battery=70"), (14, "cpu=0.4"), (35, "plug=0"), (50, "plug=20"),
    # heat
    (16, "ambient=40"), (16.1, "heat=84"), (19, "ambient=20"), (19.1, "heat=50"),
    # the stream: cut off, silent, off and on, restarted, hung, of another size and rate
    (4, "hang-up"), (21, "hang-up"), (23, "stall=30"), (26, "off"), (27, "on"), (31, "reset"),
    (37, "hang"), (41, "size=640x360"), (44, "size=960x540"), (46, "fps=1"), (48, "fps=2"),
    (52, "hang-up"), (54, "press=privacy"), (55, "press=privacy"),
    # positions: none, wandering, deceived
    (28, "sky=2"), (29.5, "sky=9"), (33, "drift=2,1"), (34, "drift=0,0"), (57, "spoof=8000,0"),
    (58, "spoof=0,0"),
)  # fmt: skip
_LINK: tuple[tuple[float, str], ...] = (
    (6, "cut=45"), (17, "stall=20"), (25, "half-open"), (39, "cut=120"), (47, "cut=2"),
    (56, "cut=30"),
)  # fmt: skip
_DEVICE: tuple[tuple[float, Do], ...] = (
    (7, "disarm"), (8, "arm"), (11, "publish"), (20, "test-alert"), (24, "sync"), (30, "disarm"),
    (32, "arm"), (36, "publish"), (40, "report"), (43, "publish"), (53, "disarm"), (54, "arm"),
    (59, "publish"),
)  # fmt: skip
_JITTER_S = 20.0


@dataclass(frozen=True)
class Script:
    """Attributes:
    camera, link: SECONDS:WHAT as `bodycam-sim run` and `bodycam-sim link` take it.
    device: seconds, and what somebody at the device or at the agency does.
    """

    camera: tuple[str, ...]
    link: tuple[str, ...]
    device: tuple[tuple[float, Do], ...]


def script(hours: float, seed: int) -> Script:
    """Every hour brings everything, each time at a slightly different moment."""
    lot = random.Random(seed)
    end = hours * HOUR_S

    def times(minute: float) -> list[float]:
        starts = [hour * HOUR_S + minute * 60 for hour in range(int(hours) + 1)]
        return [at for at in (start + lot.uniform(0, _JITTER_S) for start in starts) if at < end]

    camera = sorted((at, what) for minute, what in _CAMERA for at in times(minute))
    link = sorted((at, what) for minute, what in _LINK for at in times(minute))
    device = sorted((at, do) for minute, do in _DEVICE for at in times(minute))
    return Script(_written(camera), _written(link), tuple(device))


def _written(events: list[tuple[float, str]]) -> tuple[str, ...]:
    return tuple(f"{at:.1f}:{what}" for at, what in events)
