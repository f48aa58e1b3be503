"""What is around the agent besides the picture: the camera's body with battery, heat and gpsd, the
link to the broker, the wall clock.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from firmware_sim.body import AnyCommand, Body, BodyOptions
from firmware_sim.device import Ambient, Charge, Hang, Heated, Profile, Reset
from firmware_sim.gps import Drift, Sky, Spoof
from firmware_sim.link import Link
from firmware_sim.shutter import Video
from firmware_sim.story.events import Event
from firmware_sim.story.format import Story
from tests.chaos.world import faketime
from tests.demo.stage import Stage

_TICK_S = 0.2
_SATELLITES = 9


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
        firmware = Profile(boot_s=story.body.boot_s, watchdog_s=story.body.watchdog_s)
        self._body = Body(
            BodyOptions(sysfs=self._sys, gps_port=0, profile=firmware),
            now=time.monotonic(),
            wall=time.time(),
        )
        self._later: list[tuple[float, Callable[[], object]]] = []
        self._turn = threading.Lock()  # of time, which must not go back
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
        return self._cast.start("agent", command, self.environment())

    def environment(self) -> dict[str, str]:
        """Of whatever runs on the device."""
        if not any(event.do == "shift_clock" for event in self._story.events):
            return dict(os.environ)
        return {
            **os.environ,
            "LD_PRELOAD": faketime(),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
            "NO_FAKE_STAT": "1",
        }

    def video(self) -> Video:
        """Whether the camera's body gives pictures now."""
        return self._body.state.video

    @property
    def lamp_lit(self) -> bool:
        """Without a break, as its users are told that they are looked at."""
        on_ms, off_ms = self._body.state.lamp
        return on_ms > 0 and off_ms == 0

    def happen(self, event: Event) -> None:
        """Begin what the event is; what lasts ends by itself, within a tick."""
        begin = {
            "cut_link": lambda: self._link.cut(event.seconds),
            "stall_link": lambda: self._link.stall(event.seconds),
            "half_open_link": self._link.half_open,
            "slow_link": lambda: self._slow_link(event),
            "portal_link": lambda: self._portal(event.seconds),
            "battery": lambda: self._apply(Charge(event.percent)),
            "heat": lambda: self._apply(Ambient(event.celsius), Heated(event.celsius)),
            "hang_camera": lambda: self._apply(Hang()),
            "reset_camera": lambda: self._apply(Reset()),
            "lose_gps": lambda: self._for(event.seconds, Sky(0), Sky(_SATELLITES)),
            "drift_gps": lambda: self._for(
                event.seconds, Drift(event.north_m_s, 0.0), Drift(0.0, 0.0)
            ),
            "spoof_gps": lambda: self._for(
                event.seconds, Spoof(event.north_m, 0.0), Spoof(0.0, 0.0)
            ),
        }
        begin[event.do]()

    def later(self, seconds: float, what: Callable[[], object]) -> None:
        """Done by the thread that lets time pass."""
        self._later.append((time.monotonic() + seconds, what))

    def _slow_link(self, event: Event) -> None:
        self._link.weather.latency_s = event.latency_s
        self.later(event.seconds, lambda: setattr(self._link.weather, "latency_s", 0.0))

    def _portal(self, seconds: float) -> None:
        """Whoever was connected is thrown out, and finds a login page."""
        self._link.weather.portal = True
        self._link.cut()
        self.later(seconds, lambda: setattr(self._link.weather, "portal", False))

    def _for(self, seconds: float, begin: AnyCommand, end: AnyCommand) -> None:
        self._apply(begin)
        self.later(seconds, lambda: self._apply(end))

    def shift_clock(self, by_s: float) -> None:
        """The agent's wall clock; nothing that is monotonic."""
        self._shift_s += by_s
        self._set_clock()

    def _apply(self, *commands: AnyCommand) -> None:
        for command in commands:
            with self._turn:
                self._body.apply(command, now=time.monotonic())

    def _tick(self) -> None:
        while not self._ended.wait(_TICK_S):
            now = time.monotonic()
            due = [one for one in self._later if one[0] <= now]
            for one in due:
                self._later.remove(one)
                one[1]()
            with self._turn:
                self._body.tick(now=time.monotonic())

    def _set_clock(self) -> None:
        part = self._clock.with_suffix(".part")
        part.write_text(f"{self._shift_s:+f}\n")
        part.replace(self._clock)
