"""The body of the camera as a pure state machine: values in, values out, time as an argument."""

from firmware_sim.device.commands import (
    Advance,
    Ambient,
    Charge,
    Command,
    Fill,
    Hang,
    Heated,
    Lamp,
    Load,
    Plug,
    PowerOff,
    PowerOn,
    Press,
    Pulse,
    Reset,
    ShiftClock,
    Stall,
    TimeFix,
)
from firmware_sim.device.effects import (
    Booted,
    Button,
    ClockJumped,
    Effect,
    LostPower,
    Pressed,
    Restarted,
    StorageFull,
    Throttling,
)
from firmware_sim.device.machine import Device, step
from firmware_sim.device.profile import Profile
from firmware_sim.device.state import DeviceState

__all__ = [
    "Advance", "Ambient", "Booted", "Button", "Charge", "ClockJumped", "Command", "Device",
    "DeviceState", "Effect", "Fill", "Hang", "Heated", "Lamp", "Load", "LostPower", "Plug",
    "PowerOff", "PowerOn", "Press", "Pressed", "Profile", "Pulse", "Reset", "Restarted",
    "ShiftClock", "Stall", "StorageFull", "Throttling", "TimeFix", "step",
]  # fmt: skip
