"""What a gpsd says, whoever it is."""

from __future__ import annotations

import json
from random import Random

from agent.errors import DataError
from agent.messages.match import Location
from agent.messages.times import iso_utc
from agent.stages.gpsd import GpsdParser, NoFix
from agent.stages.position import Belief
from agent.values import Monotonic
from tests.fuzz.mutate import scramble, twist
from tests.fuzz.watch import Subject

_TPV = {
    "class": "TPV", "device": "/dev/ttyS0", "mode": 3, "time": "2026-11-27T12:00:00.250Z",
    "lat": 47.6, "lon": -122.33, "eph": 4.2, "speed": 1.2,
}  # fmt: skip


def position_subject() -> Subject:
    """Reports; each that is believed must be one that an alert can carry."""
    seeds = (json.dumps(_TPV).encode() + b"\r\n", b'{"class":"TPV","mode":1}\n')
    return Subject("positions", seeds, _mutate, _read, (DataError,))


def _mutate(rng: Random, data: bytes) -> bytes:
    return twist(rng, data) + b"\n" if rng.random() < 0.7 else scramble(rng, data)


def _read(data: bytes) -> None:
    parser, belief = GpsdParser(), Belief()
    for report in parser.feed(data + b"\n", now=Monotonic(0.0)):
        if isinstance(report, NoFix):
            continue
        belief.take(report)
        Location(
            lat=report.lat,
            lon=report.lon,
            accuracy_m=report.accuracy_m or 0.0,
            fix_time=iso_utc(report.time or 0.0),
        )
    if parser.skipped:
        raise DataError("skipped")
