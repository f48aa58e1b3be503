"""What a story does to the world around the agent, kind by kind, without an agent."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

from firmware_sim.gps import Drift, Sky, Spoof
from firmware_sim.story.events import _TAKES, Doing, Event
from firmware_sim.story.format import Story
from tests.stories.play import _OF_THE_PICTURE
from tests.stories.surroundings import Surroundings
from tests.support.receiver import wait_until

OF_THE_AGENT = {"remove_entry", "arm", "disarm", "kill_agent", "fill_disk", "shift_clock"}
SHORT = {
    "seconds": 0.1, "latency_s": 0.3, "north_m": 500, "north_m_s": 5, "percent": 40, "celsius": 60,
}  # fmt: skip


def event(do: str) -> Event:
    return Event.model_validate({"at": 0, "do": do, **{name: SHORT[name] for name in _TAKES[do]}})


@contextmanager
def around(folder: Path) -> Iterator[Surroundings]:
    story = {
        "title": "t", "seed": 1, "seconds": 5, "pace": "live", "expect": {"found_at_least": 0},
        "body": {"boot_s": 0.5, "watchdog_s": 0.5},
    }  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as broker:
        host, port = broker.getsockname()
        cast: Any = SimpleNamespace(broker=SimpleNamespace(host=host, port=port))
        with Surroundings(cast, folder, Story.model_validate(story)) as made:
            yield made


def test_every_kind_is_somebodys_affair(tmp_path: Path) -> None:
    rest = set(get_args(Doing)) - OF_THE_AGENT - set(_OF_THE_PICTURE)
    assert len(rest) >= 12
    with around(tmp_path) as world:
        for do in sorted(rest):
            world.happen(event(do))


def test_what_lasts_ends_by_itself(tmp_path: Path) -> None:
    with around(tmp_path) as world:
        weather = world._link.weather
        for do in ("slow_link", "portal_link", "lose_gps", "drift_gps", "spoof_gps"):
            world.happen(event(do))
        gps = world._body._gps
        assert (weather.latency_s, weather.portal) == (0.3, True)
        assert (gps.sky, gps.drift, gps.spoof) == (Sky(0), Drift(5, 0), Spoof(500, 0))
        wait_until(lambda: not world._later, "all is over")
        gps = world._body._gps
        assert (weather.latency_s, weather.portal) == (0.0, False)
        assert (gps.sky, gps.drift, gps.spoof) == (Sky(9), Drift(0, 0), Spoof(0, 0))


def test_a_firmware_that_hangs_is_silent_then_gone_then_back(tmp_path: Path) -> None:
    with around(tmp_path) as world:
        assert world.video() == "on"
        world.happen(event("hang_camera"))
        for video in ("stalled", "off", "on"):
            wait_until(lambda video=video: world.video() == video, video)
