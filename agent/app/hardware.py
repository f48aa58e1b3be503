"""Battery, heat, lamp, vibrator and positions: wired together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.adapters.gpsd import GpsdClient
from agent.adapters.leds import SysfsIndicator
from agent.adapters.sysfs import SysfsHardware
from agent.config import Config
from agent.ports import Clock
from agent.ports.hardware import Hardware
from agent.ports.indicator import Indicator
from agent.ports.log import Log
from agent.ports.places import Places
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.places_loop import PlacesLoop
from agent.stages.position import fresh
from agent.values.place import Fix


@dataclass(frozen=True, slots=True, eq=False)
class Outside:
    """What the agent has of the device around it.

    Attributes:
        hardware: battery and heat.
        indicator: shows the state.
        places: where the device is; None without a receiver.
        loop: listens to that receiver.
        here: a position that may be told; None without one.
    """

    hardware: Hardware
    indicator: Indicator
    places: Places | None
    loop: PlacesLoop | None
    here: Callable[[], Fix | None]


def outside(config: Config, clock: Clock, heartbeats: Heartbeats, log: Log) -> Outside:
    """As configured; nothing is opened yet."""
    root, gps = Path(config.hardware.sysfs_root), config.gps
    indicator = SysfsIndicator(root, config.hardware.led, config.hardware.haptic, log)
    hardware = SysfsHardware(root)
    if not gps.enabled:
        return Outside(hardware, indicator, None, None, lambda: None)
    client = GpsdClient(gps.host, gps.port, silence_s=gps.silence_s, clock=clock)
    loop = PlacesLoop(client, clock=clock, heartbeats=heartbeats, log=log)

    def here() -> Fix | None:
        return fresh(client.latest(), now=clock.monotonic(), max_age_s=gps.max_fix_age_s)

    return Outside(hardware, indicator, client, loop, here)
