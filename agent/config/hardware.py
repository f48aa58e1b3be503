"""The device's own hardware: battery, heat, LED, haptics; and its receiver of positions."""

from __future__ import annotations

from pydantic import Field

from agent.config.section import Section

_NAME = r"^([A-Za-z0-9_][A-Za-z0-9_:.-]{0,63})?$"


class HardwareConfig(Section):
    sysfs_root: str = Field(
        "/sys",
        pattern=r"^/.*$",
        max_length=1000,
        description="Where battery, thermal zones and LEDs are found as the kernel shows them.",
    )
    led: str = Field(
        "",
        pattern=_NAME,
        description="LED that shows the state, a folder of class/leds; empty: none.",
    )
    haptic: str = Field(
        "",
        pattern=_NAME,
        description="Vibrator that tells changes of state, a folder of class/leds; empty: none.",
    )


class GpsConfig(Section):
    enabled: bool = Field(False, description="Ask gpsd where the device is.")
    host: str = Field("127.0.0.1", min_length=1, max_length=253, description="Of gpsd.")
    port: int = Field(2947, ge=1, le=65535, description="Of gpsd.")
    silence_s: float = Field(
        10.0, ge=1, le=600, description="A gpsd silent for so long counts as lost, s."
    )
    max_fix_age_s: float = Field(
        30.0, ge=1, le=600, description="An older position is not told, and not relied on, s."
    )
