"""A webcam, or any other camera that Linux shows as /dev/videoN."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import cv2

from agent.adapters.cameras.capture import Capture, CaptureFactory, environment, opencv_capture
from agent.adapters.cameras.live_capture import LiveCaptureCamera
from agent.adapters.opencv_quiet import quieten_opencv
from agent.config import CameraConfig
from agent.errors import CameraError
from agent.ports import Clock

_MJPG = 0x47504A4D  # the letters M, J, P, G, lowest byte first


def v4l2_camera(
    device: str,
    config: CameraConfig,
    clock: Clock,
    *,
    live: bool = True,
    capture: CaptureFactory = opencv_capture,
    probe: Callable[[str], None] | None = None,
) -> LiveCaptureCamera:
    """A camera at `device`.

    Args:
        device: such as `/dev/video0`.
        config: size and rate to ask for, and how long it may be silent.
        clock: dates the frames.
        live: see `LiveCaptureCamera`.
        capture: opens it.
        probe: raises OSError when the device may not be opened.
    """

    def connect() -> Capture:
        _check(device, probe or _open_and_close)
        quieten_opencv()
        with environment("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(max(1, round(config.stall_s)))):
            opened = capture(device, cv2.CAP_V4L2, [])
        if not opened.isOpened():
            opened.release()
            raise CameraError(f"{device}: not a video capture device; try the next number")
        _configure(opened, config)
        return opened

    return LiveCaptureCamera(device, connect, clock, live=live, asked=(config.width, config.height))


def _configure(capture: Capture, config: CameraConfig) -> None:
    """Ask for MJPEG before size and rate: uncompressed, USB 2 carries few frames of that size.

    `set` answers yes to what the device then does not do; the first frame tells.
    """
    capture.set(cv2.CAP_PROP_FOURCC, _MJPG)
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, config.width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, config.height)
    capture.set(cv2.CAP_PROP_FPS, config.fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)


def _check(device: str, probe: Callable[[str], None]) -> None:
    try:
        probe(device)
    except OSError as error:
        raise CameraError(f"{device}: {_why(error)}") from None


def _open_and_close(device: str) -> None:
    os.close(os.open(device, os.O_RDWR | os.O_NONBLOCK))


def _why(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "permission denied; add the user to the group `video` and log in again"
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return "no such camera; plug it in, and see `ls /dev/video*`"
    if error.errno == errno.EBUSY:
        return "in use by another program"
    return f"cannot be opened ({error.strerror})"
