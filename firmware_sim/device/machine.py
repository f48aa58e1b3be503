"""What each command makes of the camera.

Time passes first, in slices of at most `SLICE_S`, so that what ends meanwhile (boot, watchdog, a
battery) ends at its own time; then the command is obeyed. The same commands at the same times give
the same states, bit for bit.
"""

from __future__ import annotations

import math
from dataclasses import replace

from firmware_sim.device import commands as c
from firmware_sim.device.effects import (
    Booted,
    Effect,
    LostPower,
    Restarted,
    StorageFull,
    Throttling,
)
from firmware_sim.device.obey import Change, obey
from firmware_sim.device.phases import booting, off
from firmware_sim.device.power import chip_watts, flow, rest_volts
from firmware_sim.device.profile import Profile
from firmware_sim.device.state import Clock, DeviceState, Heat, Power

SLICE_S = 1.0


def fresh(
    profile: Profile, *, now: float, percent: float = 100, ambient_c: float = 22
) -> DeviceState:
    """A camera that lies there, switched off."""
    power = Power(charge=percent / 100, volts=rest_volts(percent / 100))
    return DeviceState(
        now=now,
        clock=Clock(profile.boot_wall, now),
        profile=profile,
        since=now,
        power=power,
        heat=Heat(ambient_c, ambient_c),
    )


def step(state: DeviceState, command: c.Command, *, now: float) -> Change:
    """The camera at `now`, after the command.

    Args:
        state: before.
        command: what happens at `now`.
        now: seconds; never before `state.now`.

    Raises:
        ValueError: time would go back, or a figure is none.
    """
    if not (math.isfinite(now) and now >= state.now):
        raise ValueError(f"time goes from {state.now} to {now}")
    state, effects = _pass_time(state, now)
    state, more = obey(state, command)
    state, last = _settle(state)
    return state, effects + more + last


class Device:
    """A camera that remembers its state."""

    def __init__(self, profile: Profile | None = None, *, now: float, percent: float = 100) -> None:
        self.state = fresh(profile or Profile(), now=now, percent=percent)

    def step(self, command: c.Command, *, now: float) -> tuple[Effect, ...]:
        """See `step`."""
        self.state, effects = step(self.state, command, now=now)
        return effects


def _pass_time(state: DeviceState, until: float) -> Change:
    effects: tuple[Effect, ...] = ()
    while state.now < until:
        end = min(until, state.now + SLICE_S, *_deadlines(state))
        state = _slice(state, end)
        state, more = _settle(state)
        effects += more
    return state, effects


def _deadlines(state: DeviceState) -> list[float]:
    """When something ends by itself, after now."""
    profile, found = state.profile, [state.stalled_until]
    if state.phase == "booting":
        found.append(state.since + profile.boot_s)
    if state.phase == "hung":
        found.append(state.since + profile.watchdog_s)
    return [at for at in found if at > state.now]


def _slice(state: DeviceState, end: float) -> DeviceState:
    """A short time in which nothing changes but what flows."""
    seconds, profile, heat = end - state.now, state.profile, state.heat
    steady_c = heat.ambient_c + profile.kelvin_per_w * chip_watts(state)
    chip_c = steady_c + (heat.chip_c - steady_c) * math.exp(-seconds / profile.heat_tau_s)
    recorded = profile.recording_mb_s * seconds if _records(state) else 0.0
    return replace(
        state,
        now=end,
        power=flow(state, seconds),
        heat=replace(heat, chip_c=chip_c),
        used_mb=min(profile.storage_mb, state.used_mb + recorded),
    )


def _records(state: DeviceState) -> bool:
    return state.recording and state.video == "on"


def _settle(state: DeviceState) -> Change:
    """What follows at once from what is."""
    effects: list[Effect] = []
    for rule in (_brown_out, _boot, _watchdog, _throttle, _card):
        state, more = rule(state)
        effects += more
    return state, tuple(effects)


def _brown_out(state: DeviceState) -> Change:
    state = replace(state, power=flow(state, 0.0))
    starved = state.power.volts < state.profile.brown_out_v and not state.power.charger_w
    if state.phase == "off" or not starved:
        return state, ()
    return off(state), (LostPower(brown_out=True),)


def _boot(state: DeviceState) -> Change:
    if state.phase != "booting" or state.now < state.since + state.profile.boot_s:
        return state, ()
    return replace(state, phase="running", since=state.now), (Booted(),)


def _watchdog(state: DeviceState) -> Change:
    if state.phase != "hung" or state.now < state.since + state.profile.watchdog_s:
        return state, ()
    return booting(state), (Restarted(watchdog=True),)


def _throttle(state: DeviceState) -> Change:
    heat, profile = state.heat, state.profile
    limit = profile.resume_c if heat.throttled else profile.throttle_c
    on = heat.chip_c >= limit and state.phase != "off"
    if on == heat.throttled:
        return state, ()
    return replace(state, heat=replace(heat, throttled=on)), (Throttling(on),)


def _card(state: DeviceState) -> Change:
    if not state.recording or state.used_mb < state.profile.storage_mb:
        return state, ()
    return replace(state, recording=False), (StorageFull(),)
