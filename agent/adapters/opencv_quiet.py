"""OpenCV and the libraries in it write to stderr; an operator should read our one line instead."""

from __future__ import annotations

import os
import sys

import cv2


def quieten_opencv() -> None:
    """Switch off the log lines of OpenCV and of the FFmpeg inside it, now and for later.

    OpenCV reads the FFmpeg level from the environment when its first video is opened; a level
    that the user has set stays.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def silence_native_stderr() -> None:
    """Send what C libraries print to nowhere, and keep Python's own stderr as it is.

    libjpeg and libpng print warnings about damaged pictures straight to file descriptor 2, with
    no switch. For the main function of a program, before any thread: `sys.stderr` moves to a copy
    of the descriptor, and the original points to /dev/null.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    os.close(sink)
    sys.stderr = os.fdopen(kept, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
