"""`python -m tests.chaos --latency`: from the sight of a face to its acknowledgement.

The broker's acknowledgement and the hub's signed one, on the loopback and over a link like LTE, of
a device that commits as always. Figures in build/chaos-latency.json.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.chaos.figures import delivered, spread_ms, until, write
from tests.chaos.truth import read_truth
from tests.chaos.world import Cast, World
from tests.support.link import Weather

GOAL_MS = 100.0
"""The broker's word on the loopback, p95."""
_HZ = 12.0
_TAKES_S = 120.0
_LTE_S = 0.15
_STALL_EVERY_S = 8.0
_TIMEOUT_S = 0.5
"""A lost packet stops TCP for one retransmission time-out: the round trip and 200 ms."""


def latency(folder: Path, cast: Cast, alerts: int) -> int:
    """Measure, say the figures, write them; the exit code."""
    figures: dict[str, Any] = {"alerts": alerts, "broker": cast.broker}
    broken: list[str] = []
    for link in ("loopback", "lte"):
        for word in ("broker", "hub"):
            print(f"{link}: {alerts} alerts, the {word}'s word", flush=True)
            name = f"{link}_{word}_ms"
            figures[name] = spread = _measure(folder, cast, alerts, word, lte=link == "lte")
            if not spread:
                broken.append(f"{name}: the alerts did not all arrive")
    figures["lte"] = f"{_LTE_S * 1000:g} ms each way, stalls of {_TIMEOUT_S * 1000:g} ms and more"
    if figures["loopback_broker_ms"].get("p95", 0.0) >= GOAL_MS:
        broken.append(f"loopback: p95 is not under {GOAL_MS:g} ms")
    return write(folder.parent / "chaos-latency.json", figures, broken)


def _measure(folder: Path, cast: Cast, alerts: int, word: str, *, lte: bool) -> dict[str, float]:
    options = (f"delivery.confirm={word}", "delivery.ack_timeout_s=20")
    cast = replace(cast, rate_hz=_HZ, options=options, jumps=False, disk=False)
    world = World(folder, cast)
    try:
        world.settle()
        world.link.weather = Weather(latency_s=_LTE_S if lte else 0.0)
        world.start_receivers()
        until(world.receiving, 30.0)
        world.start_device()
        storms = stalls(random.Random(cast.seed)) if lte else iter(())
        calm = _watch(world, alerts, storms)
        world.end_device(signal.SIGTERM)
        until(lambda: not world.device_lives(), 10.0)
        truth = read_truth(world.truth)
        waits = [at - truth[key].at for key, at in delivered(world.folder) if key in truth]
        return spread_ms(waits) if calm and len(waits) >= alerts else {}
    finally:
        world.close()


def _watch(world: World, alerts: int, storms: Iterator[tuple[float, float]]) -> bool:
    """Let the weather change until there are enough alerts, then until all have arrived."""
    end = time.monotonic() + _TAKES_S
    change = next(storms, None)
    at = time.monotonic()
    while len(read_truth(world.truth)) < alerts:
        if time.monotonic() > end:
            return False
        if change is not None and time.monotonic() > at + change[0]:
            world.link.weather.stalled = True
            time.sleep(change[1])
            world.link.weather.stalled = False
            at, change = time.monotonic(), next(storms)
        time.sleep(0.02)
    world.quiet()
    return until(lambda: world.depth() == 0, _TAKES_S)


def stalls(chance: random.Random) -> Iterator[tuple[float, float]]:
    """Seconds until the next one, and how long it is: each time-out in a row is twice as long."""
    while True:
        long = _TIMEOUT_S
        while long < 4 * _TIMEOUT_S and chance.random() < 0.3:
            long *= 2
        yield chance.expovariate(1 / _STALL_EVERY_S), long
