"""What kind of camera it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """A camera of about the size of a Raspberry Pi 4 with one lithium cell.

    Attributes:
        battery_wh: of the full battery, watt-hours.
        cell_ohm: inner resistance: the voltage sags under load.
        idle_w, cpu_w, camera_w: drawn while running; by a busy processor; by the camera.
        charge_w: the most that the battery takes.
        brown_out_v: below this voltage it switches off at once.
        start_v: it starts above this one only.
        kelvin_per_w: of the processor over the air around it, when warm.
        heat_tau_s: time constant of that.
        throttle_c, resume_c: the processor is slowed at the first, and freed at the second.
        throttled: share of its speed that is left then.
        storage_mb: of the card; recording_mb_s: what recording writes.
        boot_s: from power to the first picture.
        watchdog_s: a firmware that hangs is restarted after this.
        boot_wall: what its clock says at the start of a boot, seconds since 1970: no battery.
        drift_ppm: how much too fast the clock is until the first fix.
    """

    battery_wh: float = 18.5
    cell_ohm: float = 0.08
    idle_w: float = 2.2
    cpu_w: float = 4.0
    camera_w: float = 0.8
    charge_w: float = 10.0
    brown_out_v: float = 3.2
    start_v: float = 3.4
    kelvin_per_w: float = 9.0
    heat_tau_s: float = 90.0
    throttle_c: float = 80.0
    resume_c: float = 75.0
    throttled: float = 0.6
    storage_mb: float = 32_000.0
    recording_mb_s: float = 1.0
    boot_s: float = 18.0
    watchdog_s: float = 15.0
    boot_wall: float = 1_704_067_200.0
    drift_ppm: float = 40.0
