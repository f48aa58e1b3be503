"""Where the device is, and how well that is known."""

from __future__ import annotations

from dataclasses import dataclass

from agent.values.times import Monotonic, Wall


@dataclass(frozen=True, slots=True)
class Fix:
    """One position of a satellite receiver.

    Attributes:
        lat, lon: degrees, WGS 84, north and east positive.
        accuracy_m: radius in metres that holds the true position 95 % of the time; None: not told.
        time: wall-clock seconds of the receiver, not of this device; None: it knows none yet.
        at: monotonic seconds at which it arrived here.
    """

    lat: float
    lon: float
    accuracy_m: float | None
    time: Wall | None
    at: Monotonic
