"""`python -m agent.hub.fleet_worker`: some light devices of a fleet, in a process of their own.

It reads one JSON object, the task, from the first line of its standard input, and says one JSON
object a line on standard output: `{"connected": n}` when all devices have reached the broker (or
the time for it is over). After a second line of input it raises alerts as long as the task says,
waits until they are delivered, says the result, and ends. agent/docs/fleet.md has the fields.
"""

from __future__ import annotations

import heapq
import json
import random
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agent.adapters.clock import SystemClock
from agent.adapters.device_keys import DeviceKeys
from agent.adapters.log import StderrLog
from agent.config import parse
from agent.errors import BodycamError
from agent.hub.light_device import LightDevice, evidence_of

_POLL_S = 0.1
_HEALTH = b'{"schema":"bodycam.health.v1","padding":"' + b"x" * 700 + b'"}'
"""As large as a health message; what is in it does not matter to a broker."""


class Task(BaseModel):
    """What a worker is to do.

    Attributes:
        first, devices: numbers of the devices: names are `load-<number>`.
        settings: `section.key=value` of their configuration: the broker above all.
        ramp_s: devices are started over so long, s.
        connect_s: all of them are to be connected within this, s.
        seconds: alerts are raised for so long, s.
        every_s: mean pause between two alerts of one device, s; exponentially distributed.
        health_s: between two health messages of a device, s; 0: none.
        evidence: bytes of the picture in each alert.
        drain_s: wait so long for what is not delivered at the end, s.
        seed: of the pauses.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: int = Field(ge=0)
    devices: int = Field(ge=1, le=80)
    settings: tuple[str, ...] = ()
    ramp_s: float = Field(10.0, ge=0, le=3600)
    connect_s: float = Field(60.0, gt=0, le=3600)
    seconds: float = Field(60.0, gt=0, le=86_400)
    every_s: float = Field(10.0, gt=0, le=86_400)
    health_s: float = Field(60.0, ge=0, le=86_400)
    evidence: int = Field(0, ge=0, le=40_000)
    drain_s: float = Field(60.0, ge=0, le=3600)
    seed: int = 0


class Crew:
    """The devices of one worker.

    Args:
        task: see `Task`.
        folder: for their outboxes.
        undo: stops them.
    """

    def __init__(self, task: Task, folder: Path, undo: ExitStack) -> None:
        self._task = task
        self._lot = random.Random(f"{task.seed}/{task.first}")  # noqa: S311 -- pauses, no secret
        self._raised: list[str] = []
        clock, log = SystemClock(), StderrLog(sys.stderr, quiet=True)
        agency = DeviceKeys.new().seal_key
        self._devices: list[LightDevice] = []
        for number in range(task.first, task.first + task.devices):
            own = folder / f"load-{number}"
            own.mkdir()
            config = parse(None, (*task.settings, f"device.id=load-{number}"))
            device = LightDevice(config, own, agency, clock=clock, log=log)
            undo.callback(device.stop)
            self._devices.append(device)

    def connect(self) -> int:
        """Start all; how many are connected in time."""
        pause = self._task.ramp_s / len(self._devices)
        for device in self._devices:
            device.start()
            time.sleep(pause)
        until = time.monotonic() + self._task.connect_s
        while (up := self._connected()) < len(self._devices) and time.monotonic() < until:
            time.sleep(_POLL_S)
        return up

    def work(self) -> None:
        """Raise alerts and tell of health, each device at its own random times."""
        task, began = self._task, time.monotonic()
        due = [(self._lot.expovariate(1 / task.every_s), n, "alert") for n in self._numbers]
        if task.health_s:
            due += [(self._lot.uniform(0, task.health_s), n, "health") for n in self._numbers]
        heapq.heapify(due)
        while due and due[0][0] < task.seconds:
            at, number, what = heapq.heappop(due)
            time.sleep(max(0.0, began + at - time.monotonic()))
            if what == "health":
                self._devices[number].tell_health(_HEALTH)
                following = at + task.health_s
            else:
                evidence = evidence_of(task.evidence, self._lot)
                self._raised.append(self._devices[number].raise_alert(evidence))
                following = at + self._lot.expovariate(1 / task.every_s)
            heapq.heappush(due, (following, number, what))

    def drain(self) -> int:
        """Wait for what is on its way; how many events are left."""
        until = time.monotonic() + self._task.drain_s
        while (left := sum(device.waiting() for device in self._devices)) > 0:
            if time.monotonic() >= until:
                break
            time.sleep(_POLL_S)
        return left

    def result(self, left: int) -> dict[str, Any]:
        latencies = [s for device in self._devices for s in device.latencies_s()]
        return {
            "raised": self._raised,
            "left": left,
            "connected": self._connected(),
            "ack_ms": [round(seconds * 1000, 2) for seconds in latencies],
        }

    @property
    def _numbers(self) -> range:
        return range(len(self._devices))

    def _connected(self) -> int:
        return sum(device.connected for device in self._devices)


def main() -> int:
    try:
        task = Task.model_validate_json(sys.stdin.readline())
        with ExitStack() as undo:
            folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="fleet-")))
            crew = Crew(task, folder, undo)
            _say({"connected": crew.connect()})
            if sys.stdin.readline():
                crew.work()
                _say(crew.result(crew.drain()))
    except (BodycamError, ValueError) as error:
        print(f"fleet worker: {' '.join(str(error).split())}", file=sys.stderr)
        return 65
    return 0


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    threading.stack_size(256 * 1024)  # there are several threads for each device
    sys.exit(main())
