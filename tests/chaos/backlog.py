"""`python -m tests.chaos --backlog`: a day offline at an alert a minute, then the network is back.

The device lives through the day with its own outbox; its clocks are made to pass (see
`tests.chaos.passing`), nothing in the database is touched. Then the link comes up, as slow as
LTE, is cut once half-way, and people go on being seen. Figures in build/chaos-backlog.json.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.chaos.device import MINUTE_S
from tests.chaos.figures import share, spread_ms, until, write
from tests.chaos.judge import Arrival
from tests.chaos.truth import Raised, read_truth
from tests.chaos.world import Cast, World
from tests.support.link import Weather

LTE = Weather(latency_s=0.15, bytes_s=250_000)
IN_FLIGHT = 20
LIVE_FOR_S = 300.0
_OPTIONS = ("delivery.ack_timeout_s=20", f"delivery.in_flight={IN_FLIGHT}")
_LIVE_HZ = 2.0
_DAY_TAKES_S = 300.0
_DRAIN_TAKES_S = 300.0


def backlog(folder: Path, cast: Cast, minutes: int) -> int:
    """Play it, say the figures, write them; the exit code."""
    cast = replace(
        cast, minutes=minutes, rate_hz=_LIVE_HZ, live_for_s=LIVE_FOR_S, options=_OPTIONS,
        jumps=False, disk=False,
    )  # fmt: skip
    print(f"{minutes} minutes offline at an alert a minute; {cast.broker}", flush=True)
    world = World(folder, cast)
    try:
        figures, broken = _play(world)
    finally:
        world.close()
    return write(folder.parent / "chaos-backlog.json", figures, broken)


def _play(world: World) -> tuple[dict[str, Any], list[str]]:
    minutes = world.cast.minutes
    world.settle()
    world.quiet()
    world.link.weather.refusing = True
    world.start_receivers()
    until(world.receiving, 30.0)
    began = time.monotonic()
    world.start_device()
    if not until(lambda: world.depth() >= minutes, _DAY_TAKES_S):
        return {}, [f"{world.depth()} of {minutes} in the outbox: {world.last_words('device', 1)}"]
    day_took_s = time.monotonic() - began
    offline = read_truth(world.truth)
    world.quiet(on=False)
    back = time.monotonic()
    world.link.weather = replace(LTE)
    calm = until(lambda: len(world.kept_ids() & offline.keys()) >= minutes / 2, _DRAIN_TAKES_S)
    world.link.cut()
    calm &= until(lambda: offline.keys() <= world.kept_ids(), _DRAIN_TAKES_S)
    drained_s = time.monotonic() - back
    world.quiet()
    calm &= until(lambda: world.depth() == 0, _DRAIN_TAKES_S)
    world.end_device(signal.SIGTERM)
    until(lambda: not world.device_lives(), 10.0)
    figures, broken = judged(
        offline, read_truth(world.truth), world.kept(), ahead_s=minutes * MINUTE_S, back=back
    )
    if not calm:
        broken.append(f"{world.depth()} events still wait in the outbox")
    most = max(world.wire.most)
    if not 0 < most <= IN_FLIGHT:
        broken.append(f"{most} publishes were open at once; {IN_FLIGHT} may be")
    figures |= {
        "day_took_s": round(day_took_s, 1),
        "drained_s": round(drained_s, 1),
        "alerts_a_second": round(len(offline) / drained_s, 1),
        "in_flight_most": most,
        "in_flight_most_by_connection": [each for each in world.wire.most if each],
        "published": world.wire.publishes,
        "link": f"{LTE.latency_s * 1000:g} ms each way, {LTE.bytes_s / 1000:g} kB/s, cut once",
        "broker": world.cast.broker,
    }
    return figures, broken


def judged(
    offline: Mapping[str, Raised],
    truth: Mapping[str, Raised],
    kept: Sequence[Arrival],
    *,
    ahead_s: float,
    back: float,
) -> tuple[dict[str, Any], list[str]]:
    """What arrived, and in which order.

    Args:
        offline: raised before the network was back.
        truth: everything that was raised.
        kept: what the hub has, in the order in which it came.
        ahead_s: by how much the device's monotonic clock is ahead.
        back: when the network was back, monotonic seconds.
    """
    came = [one.id for one in kept if one.id in offline]
    due = in_order(offline, live_since=back + ahead_s - LIVE_FOR_S)
    at = {one.id: one.at + ahead_s for one in kept}
    since = {key: one for key, one in truth.items() if key not in offline}
    waits = [at[key] - one.at for key, one in since.items() if key in at]
    through = max((at[key] for key in came), default=0.0)
    during = [at[key] - one.at for key, one in since.items() if key in at and one.at < through]
    figures = {
        "offline_alerts": len(offline),
        "received_distinct": len(set(came)),
        "received_twice": len(kept) - len({one.id for one in kept}),
        "out_of_order": sum(a != b for a, b in zip(came, due, strict=False)),
        "historical": sum(one.historical for one in kept if one.id in offline),
        "gaps": sum(one.is_gap for one in kept),
        "live_alerts_meanwhile": len(during),
        "live_alerts_missing": len(since) - len(waits),
        "live_latency_ms": spread_ms(during),
        "backlog_latency_s": share([at[key] - back - ahead_s for key in came]),
    }
    broken = [
        f"{key}: {figures[key]}, must be 0"
        for key in ("received_twice", "out_of_order", "gaps", "live_alerts_missing")
        if figures[key]
    ]
    if len(set(came)) != len(offline):
        broken.append(f"{len(offline)} were raised offline, {len(set(came))} arrived")
    if not during:
        broken.append("no live alert was raised during the backlog")
    elif max(during) > max(2.0, (through - back - ahead_s) / 4):
        broken.append("a live alert was stuck behind the backlog")
    return figures, broken


def in_order(offline: Mapping[str, Raised], *, live_since: float) -> list[str]:
    """Ids as they are to arrive: live ones, then by priority, then by time."""

    def place(one: Raised) -> tuple[bool, int, float]:
        return one.at <= live_since, -one.priority, one.at

    return [one.id for one in sorted(offline.values(), key=place)]
