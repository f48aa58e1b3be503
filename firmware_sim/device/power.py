"""Battery: how much is drawn, what is left, and the voltage under load."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

from firmware_sim.device.profile import Profile
from firmware_sim.device.state import DeviceState, Power

_CURVE = (
    (0.0, 3.00), (0.02, 3.30), (0.05, 3.45), (0.10, 3.60), (0.20, 3.70), (0.40, 3.78),
    (0.60, 3.88), (0.80, 4.02), (1.0, 4.20),
)  # fmt: skip
"""Share of the charge, volts of a lithium cell at rest: a usual curve, of no particular cell."""
_TAPER = 0.8
"""From this share on it takes less and less."""
_TRICKLE = 0.05


def rest_volts(charge: float) -> float:
    """Of the battery without load."""
    for (low, low_v), (high, high_v) in pairwise(_CURVE):
        if charge <= high:
            return low_v + (high_v - low_v) * (charge - low) / (high - low)
    return _CURVE[-1][1]


def effective_cpu(state: DeviceState) -> float:
    """How busy the processor really is, 0..1: it cannot be when it is off, less when slowed."""
    if state.phase == "off":
        return 0.0
    if state.phase == "booting":
        return 0.5
    cpu = 1.0 if state.phase == "hung" else state.power.cpu
    return min(cpu, state.profile.throttled) if state.heat.throttled else cpu


def chip_watts(state: DeviceState) -> float:
    """What becomes heat in the processor."""
    if state.phase == "off":
        return 0.0
    return state.profile.idle_w + state.profile.cpu_w * effective_cpu(state)


def drawn_watts(state: DeviceState) -> float:
    """What the whole camera draws."""
    if state.phase == "off":
        return 0.0
    return chip_watts(state) + (state.profile.camera_w if state.video == "on" else 0.0)


def loaded_volts(charge: float, watts: float, ohm: float) -> float:
    """Between the poles while `watts` are drawn from the battery; 0 when it cannot give them."""
    rest = rest_volts(charge)
    square = rest * rest - 4 * ohm * watts
    return 0.0 if square < 0 else (rest + math.sqrt(square)) / 2


def flow(state: DeviceState, seconds: float) -> Power:
    """The battery after so many seconds like this."""
    power, profile = state.power, state.profile
    drawn = drawn_watts(state)
    into = min(power.charger_w - drawn, _takes_w(power.charge, profile))
    change = into * seconds / 3600 / profile.battery_wh
    charge = min(1.0, max(0.0, power.charge + change))
    volts = loaded_volts(charge, max(0.0, drawn - power.charger_w), profile.cell_ohm)
    return replace(power, charge=charge, volts=volts)


def status(state: DeviceState) -> str:
    """As the kernel's `status`."""
    if state.power.charger_w < drawn_watts(state) or not state.power.charger_w:
        return "Discharging"
    return "Full" if state.power.charge >= 1 else "Charging"


def _takes_w(charge: float, profile: Profile) -> float:
    if charge >= 1:
        return 0.0
    left = (1 - charge) / (1 - _TAPER)
    return profile.charge_w * max(_TRICKLE, min(1.0, left))
