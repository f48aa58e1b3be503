"""One run of chaos, from the first start to the verdict."""

from __future__ import annotations

import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.faults import LONGEST_HOLD_S, Faults
from tests.chaos.figures import until
from tests.chaos.judge import FullDisk, Verdict, judge
from tests.chaos.truth import read_truth
from tests.chaos.world import Cast, World
from tests.support.small_disk import fill

_CALM_S = 150.0
"""So long may everything that waits take to arrive once all is well."""
_FULL_HZ = 40.0
_FULL_S = 180.0
_GIVEN_UP = 20
"""Alerts that the full disk has no room for: enough to see that they are counted."""


@dataclass(frozen=True)
class Goal:
    """When it is enough: all of these at least; it is over after `limit_s`, s."""

    alerts: int
    cuts: int
    kills: int
    limit_s: float
    pause_s: float = 0.35


def run(folder: Path, cast: Cast, goal: Goal) -> Verdict:
    """Until the goal is reached and everything has arrived, or the time is over."""
    world = World(folder, cast)
    try:
        return _run(world, goal)
    finally:
        world.close()


def _run(world: World, goal: Goal) -> Verdict:
    cast, began = world.cast, time.monotonic()
    world.settle()
    world.start_receivers()
    world.start_device()
    faults = Faults(world, random.Random(cast.seed), goal.pause_s, (goal.cuts, goal.kills))
    end = began + goal.limit_s
    while not _reached(world, faults, goal) and time.monotonic() < end:
        faults.step()
    reached = _reached(world, faults, goal)
    faults.heal()
    full = _fill_disk(world, faults) if world.disk else None
    calm = _settle(world, faults)
    world.end_device(signal.SIGTERM)
    until(lambda: not world.device_lives(), 10.0)
    verdict = judge(
        read_truth(world.truth),
        world.kept(),
        world.seen(),
        world.left(),
        live_for_s=cast.live_for_s,
        slack_s=1.0 + LONGEST_HOLD_S,
        cooldown_s=cast.cooldown_s,
        full=full,
    )
    _add(verdict, world, faults)
    verdict.counts["seconds"] = round(time.monotonic() - began)
    if not reached:
        verdict.broken.append("the time was over before the goal was reached")
    if not calm:
        verdict.broken.append(f"{world.depth()} events still wait in the outbox")
    return verdict


def _reached(world: World, faults: Faults, goal: Goal) -> bool:
    if faults.tally.done["cut"] < goal.cuts or faults.tally.kills < goal.kills:
        return False
    truth = read_truth(world.truth).values()
    return sum(one.first and one.fate != "about" for one in truth) >= goal.alerts


def _add(verdict: Verdict, world: World, faults: Faults) -> None:
    """What was done to whom."""
    done = faults.tally.done
    verdict.counts |= {
        "kills": faults.tally.kills,
        "cuts": done["cut"],
        "kills_of_device": done["kill_device"],
        "kills_of_receiver": done["kill_receiver"],
        "broker_restarts": done["kill_broker"],
        "broker_stores_lost": done["lose_store"],
        "broker_freezes": done["freeze_broker"],
        "stalls": done["stall"],
        "slow_spells": done["slow"],
        "half_open": done["half_open"],
        "refusals": done["refuse"],
        "clock_jumps": done["jump"] if world.faketime else "skipped: libfaketime is not installed",
        "disk_filled": 1 if world.disk else "skipped: mounting needs root",
        "died_by_itself": faults.tally.died,
        "seed": world.cast.seed,
        "broker": world.cast.broker,
        "receiver": world.cast.receiver,
    }
    if faults.tally.died:
        verdict.broken.append(
            f"the device ended by itself {faults.tally.died} times: {world.last_words('device', 1)}"
        )


def _fill_disk(world: World, faults: Faults) -> FullDisk:
    """Offline on a full disk, killed there too, until alerts must give way; then there is room."""
    _settle(world, faults)
    world.quiet(on=False)
    world.end_device()
    world.link.weather.refusing = True
    world.link.cut()
    began = time.monotonic()
    ballast = fill(world.state.parent)
    world.settle(_FULL_HZ)
    died = faults.tally.died
    world.start_device()
    for share in (0.3, 0.6, 1.0):
        faults.until(lambda: _given_up(world) >= _GIVEN_UP * share, _FULL_S / 3)  # noqa: B023
        world.end_device()
        world.start_device()
    faults.tally.died = died  # on a full disk it may end, and is started again
    world.end_device()
    ballast.unlink()
    world.link.weather.refusing = False
    world.settle()
    world.start_device()
    return FullDisk(began, time.monotonic())


def _given_up(world: World) -> int:
    return sum(one.fate == "given_up" for one in read_truth(world.truth).values())


def _settle(world: World, faults: Faults) -> bool:
    """Nobody is seen any more; wait until everything that was raised has arrived."""
    world.quiet()
    end = time.monotonic() + _CALM_S
    while time.monotonic() < end:
        faults.wait(0.5)
        if world.depth() == 0:
            return True
    return False
