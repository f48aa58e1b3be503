"""What is around the agent besides the picture: the camera's body with battery, heat and gpsd, the
link to the broker, the wall clock.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from firmware_sim.body import AnyCommand, Body, BodyOptions
from firmware_sim.device import Ambient, Charge, Heated
from firmware_sim.link import Link
from firmware_sim.story.format import Story
from tests.chaos.world import faketime
from tests.demo.stage import Stage

_TICK_S = 0.2


class Surroundings:
    """Of one story, from its broker's start to its end.

    Args:
        cast: starts processes and ends them; its broker runs.
        folder: for the files.
        story: what it does besides the picture is read from its events.
    """

    def __init__(self, cast: Stage, folder: Path, story: Story) -> None:
        self._cast, self._story = cast, story
        self._sys = folder / "sys"
        self._clock = folder / "wall"
        self._shift_s = 0.0
        self._link = Link((cast.broker.host, cast.broker.port))
        self._body = Body(
            BodyOptions(sysfs=self._sys, gps_port=0), now=time.monotonic(), wall=time.time()
        )
        self._ended = threading.Event()
        self._ticking = threading.Thread(target=self._tick, name="body", daemon=True)
        self._ticking.start()
        self._set_clock()

    def __enter__(self) -> Surroundings:  # noqa: PYI034
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._ticking.join()
        self._body.close()
        self._link.close()

    def settings(self) -> dict[str, str | float | bool]:
        """What the agent has to be told. The governor goes by the load of the machine, so that in
        lock-step it would make alerts depend on it.
        """
        made: dict[str, str | float | bool] = {
            "mqtt.host": "127.0.0.1",
            "mqtt.port": self._link.port,
            "hardware.sysfs_root": str(self._sys.resolve()),
            "hardware.led": "sim:red:status",
            "gps.enabled": "true",
            "gps.port": self._body.gps_port or 0,
            "governor.enabled": "true" if self._story.pace == "live" else "false",
        }
        return made | self._story.settings

    def start_agent(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """With a wall clock that can be set, where the story sets it."""
        if not any(event.do == "shift_clock" for event in self._story.events):
            return self._cast.start("agent", command)
        environment = {
            **os.environ,
            "LD_PRELOAD": faketime(),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
            "NO_FAKE_STAT": "1",
        }
        return self._cast.start("agent", command, environment)

    def cut_link(self, seconds: float) -> None:
        """Nothing passes, and nobody gets a connection."""
        self._link.cut(seconds)

    def battery(self, percent: float) -> None:
        self._apply(Charge(percent))

    def heat(self, celsius: float) -> None:
        self._apply(Ambient(celsius))
        self._apply(Heated(celsius))

    def shift_clock(self, by_s: float) -> None:
        """The agent's wall clock; nothing that is monotonic."""
        self._shift_s += by_s
        self._set_clock()

    def _apply(self, command: AnyCommand) -> None:
        self._body.apply(command, now=time.monotonic())

    def _tick(self) -> None:
        while not self._ended.wait(_TICK_S):
            self._body.tick(now=time.monotonic())

    def _set_clock(self) -> None:
        part = self._clock.with_suffix(".part")
        part.write_text(f"{self._shift_s:+f}\n")
        part.replace(self._clock)
