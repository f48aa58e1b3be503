"""From the configured source to its camera, and how the capture loop treats it."""

from __future__ import annotations

from agent.adapters.cameras import open_camera
from agent.config import Config
from agent.ports import Camera, Clock
from agent.runtime.capture_loop import CaptureLimits


def camera_for(config: Config, clock: Clock) -> Camera:
    """The camera, not open. A file that is none is told before anything else happens."""
    source = config.camera.source
    camera = open_camera(source, config.camera, clock, pace=config.camera.pace)
    if not _may_come_back(source):
        probe = open_camera(source, config.camera, clock, pace=config.camera.pace)
        probe.open()
        probe.close()
    return camera


def capture_limits(config: Config, camera_timeout_s: float | None) -> CaptureLimits:
    stream = _may_come_back(config.camera.source)
    return CaptureLimits(
        reconnect=stream,
        reconnect_s=config.camera.reconnect_s,
        first_open_s=camera_timeout_s,
        endless=is_live(config),
        real_time=config.camera.pace == "live" and not stream,
    )


def is_live(config: Config) -> bool:
    """Whether the newest frame wins. A file is read in full unless real time is asked for."""
    if config.camera.pace == "auto":
        return _may_come_back(config.camera.source)
    return config.camera.pace == "live"


def _may_come_back(source: str) -> bool:
    """Whether a source that is lost is worth waiting for: a webcam or stream, not a file."""
    return "://" in source or source.startswith(("camera:", "/dev/", "csi:"))
