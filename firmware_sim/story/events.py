"""What can happen in a story besides what is seen, and what each event takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from firmware_sim.story.part import Part

Seconds = Annotated[float, Field(ge=0, le=3600)]
Doing = Literal[
    "remove_entry", "arm", "disarm", "kill_agent",
    "stall_camera", "drop_camera", "hang_camera", "reset_camera", "resize_camera", "slow_camera",
    "cut_link", "stall_link", "slow_link", "half_open_link", "portal_link",
    "lose_gps", "drift_gps", "spoof_gps",
    "battery", "heat", "shift_clock", "fill_disk",
]  # fmt: skip
_TAKES: Final[Mapping[str, tuple[str, ...]]] = {
    "remove_entry": ("entry",),
    "arm": (),
    "disarm": (),
    "kill_agent": ("seconds",),
    "stall_camera": ("seconds",),
    "drop_camera": ("seconds",),
    "hang_camera": (),
    "reset_camera": (),
    "resize_camera": ("width", "height", "seconds"),
    "slow_camera": ("fps", "seconds"),
    "cut_link": ("seconds",),
    "stall_link": ("seconds",),
    "slow_link": ("latency_s", "seconds"),
    "half_open_link": (),
    "portal_link": ("seconds",),
    "lose_gps": ("seconds",),
    "drift_gps": ("north_m_s", "seconds"),
    "spoof_gps": ("north_m", "seconds"),
    "battery": ("percent",),
    "heat": ("celsius",),
    "shift_clock": ("by_s",),
    "fill_disk": ("seconds",),
}


class Event(Part):
    """Something happens beside what is seen."""

    at: Seconds = Field(description="Story time, s.")
    do: Doing
    seconds: Seconds = Field(0, description="For how long; then it is as before.")
    entry: str = Field("", description="remove_entry: whose.")
    by_s: float = Field(
        0, ge=-1e9, le=1e9, description="shift_clock: forwards; below 0: backwards."
    )
    percent: float = Field(100, ge=0, le=100, description="battery: charge.")
    celsius: float = Field(25, ge=-40, le=150, description="heat: of the processor.")
    width: int = Field(1280, ge=160, le=3840, description="resize_camera: pixels.")
    height: int = Field(720, ge=120, le=2160, description="resize_camera: pixels.")
    fps: float = Field(15, gt=0, le=60, description="slow_camera: frames/s at most.")
    latency_s: float = Field(0, ge=0, le=60, description="slow_link: of each direction.")
    north_m: float = Field(0, ge=-1e7, le=1e7, description="spoof_gps: shifted by this.")
    north_m_s: float = Field(0, ge=-1e4, le=1e4, description="drift_gps: wanders off like this.")

    @model_validator(mode="after")
    def _takes(self) -> Event:
        """What it needs and nothing else, so that a slip of the pen is no event without effect."""
        given, takes = self.model_fields_set - {"at", "do"}, _TAKES[self.do]
        if given != set(takes):
            wanted = ", ".join(takes) or "nothing else"
            raise ValueError(f"{self.do} takes {wanted}")
        return self


def over_s(event: Event, *, watchdog_s: float, boot_s: float) -> float:
    """When the event is over, story time in seconds.

    Args:
        event: itself. What changes the world for good is over at once.
        watchdog_s: so long it hangs.
        boot_s: from a reset to the next picture.
    """
    lasts_s = {"hang_camera": watchdog_s + boot_s, "reset_camera": boot_s}
    return event.at + lasts_s.get(event.do, event.seconds)
