"""Battery, heat, lamp, vibrator and positions, and how much is done on them: wired together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.adapters.gpsd import GpsdClient
from agent.adapters.leds import SysfsIndicator
from agent.adapters.sysfs import SysfsHardware
from agent.app.source import is_live
from agent.config import Config
from agent.policy import Policy
from agent.ports import Clock
from agent.ports.hardware import Hardware
from agent.ports.indicator import Indicator
from agent.ports.log import Log
from agent.ports.places import Places
from agent.runtime.board import Board
from agent.runtime.governing import Governing
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.places_loop import PlacesLoop
from agent.runtime.tally import Tally
from agent.stages.governor import Effort
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


def governing(
    config: Config,
    policy: Policy,
    hardware: Hardware,
    tally: Tally,
    adjust: Callable[[Effort], None],
    *,
    board: Board,
    clock: Clock,
    log: Log,
) -> Governing:
    """What decides how much is done, between what is configured and the policy's minimum."""
    asked = Effort(
        config.detection.max_rate_hz,
        float(config.detection.min_face_px),
        config.recognition.shots_per_s,
    )
    return Governing(
        config.governor,
        asked,
        least_of(policy),
        hardware=hardware,
        tally=tally,
        live=is_live(config),
        adjust=adjust,
        board=board,
        clock=clock,
        log=log,
    )


def least_of(policy: Policy) -> Effort:
    """With less than this nothing is matched under a policy."""
    return Effort(policy.least_rate_hz, policy.faces_from_px, policy.least_shots_per_s)
