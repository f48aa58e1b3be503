"""What each command changes at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from firmware_sim.device import commands as c
from firmware_sim.device.effects import ClockJumped, Effect, LostPower, Pressed, Restarted
from firmware_sim.device.phases import booting, off
from firmware_sim.device.power import rest_volts
from firmware_sim.device.state import Clock, DeviceState

Change = tuple[DeviceState, tuple[Effect, ...]]


def obey(state: DeviceState, command: c.Command) -> Change:
    """The camera after the command, and what comes of it.

    Raises:
        ValueError: a figure is out of bounds.
    """
    return _OBEY[type(command)](state, command)


def _power_on(state: DeviceState, _command: Any) -> Change:
    strong = rest_volts(state.power.charge) >= state.profile.start_v or state.power.charger_w > 0
    if state.phase != "off" or not strong:
        return state, ()
    return booting(state), ()


def _power_off(state: DeviceState, _command: Any) -> Change:
    return (state, ()) if state.phase == "off" else (off(state), (LostPower(brown_out=False),))


def _reset(state: DeviceState, _command: Any) -> Change:
    return (state, ()) if state.phase == "off" else (booting(state), (Restarted(watchdog=False),))


def _hang(state: DeviceState, _command: Any) -> Change:
    if state.phase != "running":
        return state, ()
    return replace(state, phase="hung", since=state.now), ()


def _stall(state: DeviceState, command: c.Stall) -> Change:
    if state.phase == "off":
        return state, ()
    until = state.now + _figure(command.seconds, 0, 86_400)
    return replace(state, stalled_until=max(state.stalled_until, until)), ()


def _press(state: DeviceState, command: c.Press) -> Change:
    """A device that does not run hears nothing."""
    if state.phase != "running":
        return state, ()
    if command.button == "record":
        room = state.used_mb < state.profile.storage_mb
        return replace(state, recording=not state.recording and room), (Pressed("record"),)
    if command.button == "privacy":
        return replace(state, privacy=not state.privacy), (Pressed("privacy"),)
    return state, (Pressed(command.button),)


def _time_fix(state: DeviceState, command: c.TimeFix) -> Change:
    """The first one of a boot sets the clock, whatever it said; later ones only keep it."""
    if state.phase != "running":
        return state, ()
    wall = _figure(command.wall, 0, 2**33)
    by_s = wall - state.wall_at(state.now)
    effects: tuple[Effect, ...] = () if state.clock.set else (ClockJumped(by_s),)
    return replace(state, clock=Clock(wall, state.now, set=True)), effects


def _shift_clock(state: DeviceState, command: c.ShiftClock) -> Change:
    by_s = _figure(command.by_s, -1e9, 1e9)
    wall = state.wall_at(state.now) + by_s
    return replace(state, clock=replace(state.clock, wall=wall, at=state.now)), (ClockJumped(by_s),)


def _load(state: DeviceState, command: c.Load) -> Change:
    return replace(state, power=replace(state.power, cpu=_figure(command.cpu, 0, 1))), ()


def _charge(state: DeviceState, command: c.Charge) -> Change:
    charge = _figure(command.percent, 0, 100) / 100
    return replace(state, power=replace(state.power, charge=charge)), ()


def _plug(state: DeviceState, command: c.Plug) -> Change:
    watts = _figure(command.watts, 0, 1000)
    return replace(state, power=replace(state.power, charger_w=watts)), ()


def _ambient(state: DeviceState, command: c.Ambient) -> Change:
    celsius = _figure(command.celsius, -60, 120)
    return replace(state, heat=replace(state.heat, ambient_c=celsius)), ()


def _heated(state: DeviceState, command: c.Heated) -> Change:
    celsius = _figure(command.celsius, -60, 150)
    return replace(state, heat=replace(state.heat, chip_c=celsius)), ()


def _fill(state: DeviceState, command: c.Fill) -> Change:
    used = state.used_mb + _figure(command.mb, -1e9, 1e9)
    return replace(state, used_mb=min(state.profile.storage_mb, max(0.0, used))), ()


def _lamp(state: DeviceState, command: c.Lamp) -> Change:
    if state.phase != "running":
        return state, ()
    return replace(state, lamp=(command.on_ms, command.off_ms)), ()


def _pulse(state: DeviceState, command: c.Pulse) -> Change:
    if state.phase != "running" or command.ms <= 0:
        return state, ()
    return replace(state, pulses=state.pulses + 1), ()


def _figure(value: float, low: float, high: float) -> float:
    if not low <= value <= high:  # not a number is neither
        raise ValueError(f"{value} is not between {low:g} and {high:g}")
    return value


def _nothing(state: DeviceState, _command: Any) -> Change:
    return state, ()


_OBEY: Final[Mapping[type, Callable[[DeviceState, Any], Change]]] = {
    c.Advance: _nothing,
    c.PowerOn: _power_on,
    c.PowerOff: _power_off,
    c.Load: _load,
    c.Charge: _charge,
    c.Plug: _plug,
    c.Ambient: _ambient,
    c.Heated: _heated,
    c.Fill: _fill,
    c.Press: _press,
    c.Stall: _stall,
    c.Hang: _hang,
    c.Reset: _reset,
    c.TimeFix: _time_fix,
    c.ShiftClock: _shift_clock,
    c.Lamp: _lamp,
    c.Pulse: _pulse,
}
