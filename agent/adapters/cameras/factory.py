"""From a source as an operator writes it to a camera."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, TypeAlias

from agent.config import CameraConfig
from agent.errors import UnavailableError, UsageError
from agent.ports import Camera, Clock

Pace: TypeAlias = Literal["auto", "live", "max"]

_PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


def open_camera(source: str, config: CameraConfig, clock: Clock, *, pace: Pace) -> Camera:
    """The camera for a source; it is not opened yet: call its `open`.

    Only what the source needs is imported.

    Args:
        source: a video, a picture or folder of pictures, `/dev/video0` or `camera:0`,
            `http(s)://` MJPEG, `rtsp(s)://`, `csi:0`.
        config: sizes, rates and patience.
        clock: dates the frames.
        pace: `max` makes a network source or webcam one that is read in full
            (`Camera.live` False). Files are always read in full; holding them back to real
            time is the reader's part.

    Raises:
        UsageError: the source is none of these.
        UnavailableError: it is a kind that this installation does not support.
    """
    live = pace != "max"
    scheme = source.partition("://")[0].lower() if "://" in source else ""
    if not source.strip():
        raise UsageError(
            "no camera source; give --source, or set camera.source in the configuration"
        )
    if scheme in ("http", "https"):
        return _http(source, config, clock, live=live)
    if scheme in ("rtsp", "rtsps"):
        from agent.adapters.cameras.rtsp import rtsp_camera

        return rtsp_camera(source, config, clock, live=live)
    if scheme:
        raise UsageError(f"{scheme}://: not a kind of source; use http(s):// or rtsp(s)://")
    if source.startswith("csi:"):
        raise UnavailableError(
            f"{source}: CSI cameras need the board installation (Picamera2 or Argus), which this "
            "is not; use a USB camera as camera:0, or stream the CSI camera over http:// or rtsp://"
        )
    if found := re.fullmatch(r"(?:camera:|/dev/video)([0-9]{1,3})", source):
        from agent.adapters.cameras.v4l2 import v4l2_camera

        return v4l2_camera(f"/dev/video{found[1]}", config, clock, live=live)
    if source.startswith(("camera:", "/dev/video")):
        raise UsageError(f"{source}: write a camera as camera:0 or /dev/video0")
    return _file(Path(source), config, clock)


def _http(source: str, config: CameraConfig, clock: Clock, *, live: bool) -> Camera:
    from agent.adapters.cameras.address import parse_http
    from agent.adapters.cameras.http_mjpeg import HttpMjpegCamera

    return HttpMjpegCamera(parse_http(source), config.stall_s, clock, live=live)


def _file(path: Path, config: CameraConfig, clock: Clock) -> Camera:
    if path.is_dir() or path.suffix.lower() in _PICTURES:
        from agent.adapters.cameras.image_folder import ImageFolderCamera

        return ImageFolderCamera(path, clock, config.fps)
    from agent.adapters.cameras.video_file import VideoFileCamera

    return VideoFileCamera(path, clock, config.fps)
