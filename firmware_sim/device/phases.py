"""Off, and from the beginning: what is lost then."""

from __future__ import annotations

from dataclasses import replace

from firmware_sim.device.state import Clock, DeviceState


def booting(state: DeviceState) -> DeviceState:
    """From the beginning; its clock has no battery."""
    return replace(
        off(state),
        phase="booting",
        clock=Clock(state.profile.boot_wall, state.now),
    )


def off(state: DeviceState) -> DeviceState:
    return replace(
        state,
        phase="off",
        since=state.now,
        recording=False,
        privacy=False,
        stalled_until=state.now,
        lamp=(0, 1),
        heat=replace(state.heat, throttled=False),
    )
