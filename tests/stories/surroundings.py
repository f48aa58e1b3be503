"""What is around the agent besides the picture: the link to the broker, files of the hardware, the
wall clock. Only what a story uses is there.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from firmware_sim.story.format import Story
from tests.chaos.world import faketime
from tests.demo.stage import Stage
from tests.support.link import Link

Setting = str | float | bool


class Surroundings:
    """Of one story.

    Args:
        cast: starts processes and ends them.
        folder: for the files.
        story: what it needs is read from its events.
    """

    def __init__(self, cast: Stage, folder: Path, story: Story) -> None:
        self._cast, self._folder, self._story = cast, folder, story
        self._does = {event.do for event in story.events}
        self._link: Link | None = None
        self._clock = folder / "wall"
        self._shift_s = 0.0

    def __enter__(self) -> Surroundings:  # noqa: PYI034
        return self

    def __exit__(self, *error: object) -> None:
        if self._link is not None:
            self._link.close()

    def start(self) -> None:
        """The broker must run."""
        if "cut_link" in self._does:
            self._link = Link((self._cast.broker.host, self._cast.broker.port))
        if self._does & {"battery", "heat"}:
            self.battery(90)
            self.heat(40)
        self._set_clock()

    def settings(self) -> dict[str, Setting]:
        """What the agent has to be told."""
        port = self._cast.broker.port if self._link is None else self._link.port
        made: dict[str, Setting] = {"mqtt.host": self._cast.broker.host, "mqtt.port": port}
        if self._does & {"battery", "heat"}:
            made["hardware.sysfs_root"] = str(self._folder / "sys")
        return made | self._story.settings

    def start_agent(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """With a wall clock that can be set, where the story sets it."""
        if "shift_clock" not in self._does:
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

    def cut_link(self) -> None:
        """Nothing passes, and nobody gets a connection."""
        assert self._link is not None
        self._link.weather.refusing = True
        self._link.cut()

    def mend_link(self) -> None:
        assert self._link is not None
        self._link.weather.refusing = False

    def shift_clock(self, by_s: float) -> None:
        self._shift_s += by_s
        self._set_clock()

    def battery(self, percent: float) -> None:
        self._write("class/power_supply/battery/type", "Battery")
        self._write("class/power_supply/battery/status", "Discharging")
        self._write("class/power_supply/battery/capacity", str(round(percent)))

    def heat(self, celsius: float) -> None:
        self._write("class/thermal/thermal_zone0/type", "cpu-thermal")
        self._write("class/thermal/thermal_zone0/temp", str(round(celsius * 1000)))

    def _set_clock(self) -> None:
        part = self._clock.with_suffix(".part")
        part.write_text(f"{self._shift_s:+f}\n")
        part.replace(self._clock)

    def _write(self, name: str, text: str) -> None:
        path = self._folder / "sys" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_text(text + "\n")
        part.replace(path)
