"""A network camera that speaks RTSP, through OpenCV's FFmpeg."""

from __future__ import annotations

import cv2

from agent.adapters.cameras.address import without_credentials
from agent.adapters.cameras.capture import Capture, CaptureFactory, environment, opencv_capture
from agent.adapters.cameras.live_capture import LiveCaptureCamera
from agent.adapters.opencv_quiet import quieten_opencv
from agent.config import CameraConfig
from agent.errors import CameraError
from agent.ports import Clock

_OPTIONS = "rtsp_transport;tcp|fflags;nobuffer|flags;low_delay"
"""TCP: lost UDP packets smear faces. No buffer: old frames are worthless."""


def rtsp_camera(
    url: str,
    config: CameraConfig,
    clock: Clock,
    *,
    live: bool = True,
    capture: CaptureFactory = opencv_capture,
) -> LiveCaptureCamera:
    """A camera at an rtsp:// or rtsps:// address; arguments as `v4l2_camera`.

    Its frames are dated when they come: FFmpeg's capture hands no absolute time over.
    """
    name = without_credentials(url)

    def connect() -> Capture:
        quieten_opencv()
        silence_ms = round(config.stall_s * 1000)
        # One decoder thread: each further one holds a frame back.
        parameters = [
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, silence_ms),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, silence_ms),
            *(cv2.CAP_PROP_N_THREADS, 1),
        ]
        with environment("OPENCV_FFMPEG_CAPTURE_OPTIONS", _OPTIONS):
            opened = capture(url, cv2.CAP_FFMPEG, parameters)
        if not opened.isOpened():
            opened.release()
            raise CameraError(
                f"{name}: no answer, no such stream, or wrong user name or password; "
                "check the address with the camera's manual"
            )
        return opened

    return LiveCaptureCamera(name, connect, clock, live=live)
