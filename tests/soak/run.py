"""One shift, from the first start to the recording."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from agent.hub.events_database import FILE
from tests.soak.clock import compiled, from_now_on
from tests.soak.script import HOUR_S, script
from tests.soak.verdict import SAMPLE_S
from tests.soak.world import World

_PATIENCE_S = 600.0
"""Of the device: to arm at the start, and to deliver the last alerts."""
_SHOWN_EVERY = 30


@dataclass(frozen=True)
class Shift:
    """Attributes:
    hours: of the device.
    speed: how much faster than real time.
    seed: of the script's moments.
    """

    hours: float
    speed: float
    seed: int


Enough = Callable[[dict[str, float]], bool]
"""Given the latest counts of the agent: the shift may end now."""


def run(
    folder: Path, pictures: Path, build: Path, shift: Shift, enough: Enough = lambda _: False
) -> dict[str, Any]:
    """The recording of a shift; samples also go to a file while it runs."""
    world = World(folder, pictures, build / "assets", build / "models")
    try:
        with (folder / "samples.jsonl").open("w") as out:
            return _Run(world, shift, folder, out).recording(enough)
    finally:
        world.close()


class _Run:
    def __init__(self, world: World, shift: Shift, folder: Path, out: TextIO) -> None:
        self._world, self._shift, self._out = world, shift, out
        self._script = script(shift.hours, shift.seed)
        self._clock = from_now_on(compiled(folder), shift.speed)
        self._samples: list[dict[str, dict[str, float]]] = []
        self._wanted = False
        self._tried_s = 0.0
        self._died: list[str] = []

    def recording(self, enough: Enough) -> dict[str, Any]:
        world, clock = self._world, self._clock
        world.start(clock, self._script)
        self._wanted = True
        left, due = deque(self._script.device), 0.0
        while (now := clock.elapsed()) < self._shift.hours * HOUR_S and not self._died:
            while left and left[0][0] <= now:
                what = left.popleft()[1]
                self._wanted = {"arm": True, "disarm": False}.get(what, self._wanted)
                world.do(what)
            if now >= due:
                if enough(self._take(now)):
                    break
                due += SAMPLE_S
            time.sleep(0.05)
        self._settle()
        report, kept = world.ask("report"), _kept(world)
        codes = world.end()
        return {
            "shift": asdict(self._shift),
            "samples": self._samples,
            "report": report,
            "hub_events": kept,
            "codes": codes,
            "died": self._died,
            "refused": dict(Counter(line.split(" (")[0] for line in world.refused)),
            "said": _said(world),
        }

    def _take(self, now: float) -> dict[str, float]:
        world = self._world
        self._died = [name for name in world.processes if name not in world.alive()]
        status = world.ask("status")
        if self._wanted and status and not status["armed"] and now - self._tried_s >= SAMPLE_S / 2:
            self._tried_s = now
            world.do("arm")
        sample = world.sample()
        sample["time"] = {"hours": now / HOUR_S}
        counted = ("frames", "dropped", "alerts", "pending", "session", "armed", "connected")
        sample["counts"] = {name: float(status[name]) for name in counted if name in status}
        self._samples.append(sample)
        self._out.write(json.dumps(sample) + "\n")
        self._out.flush()
        if len(self._samples) % _SHOWN_EVERY == 1:
            memory = sample.get("agent", {}).get("anon_mb", 0.0)
            state = status.get("state", "not there yet")
            print(f"  {now / HOUR_S:5.2f} h  agent {memory:.1f} MB  {state}", flush=True)
        return sample["counts"]

    def _settle(self) -> None:
        """Wait until no alert is on its way any more."""
        until = self._clock.elapsed() + _PATIENCE_S
        self._world.do("disarm")
        while self._clock.elapsed() < until and self._world.ask("status").get("pending"):
            time.sleep(0.2)


def _kept(world: World) -> int:
    with closing(sqlite3.connect(world.agency.world.state_dir / FILE)) as db:
        return int(db.execute("SELECT count(*) FROM event").fetchone()[0])


def _said(world: World) -> dict[str, dict[str, int]]:
    """How often each line was said, without its fields."""
    return {
        name: dict(Counter(re.split(r": | [a-z_]+=", line)[0] for line in world.log(name)))
        for name in ("agent", "hub", "camera", "link", "publish")
    }
