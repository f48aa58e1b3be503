import subprocess
import sys

CODE = """
import os, sys
from agent.adapters.opencv_quiet import {call}
{call}()
os.write(2, b"from a C library\\n")
import cv2, numpy as np
ok, data = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
half = np.concatenate([data[: len(data) // 2], data[-2:]])
cv2.imdecode(half, cv2.IMREAD_COLOR)
cv2.VideoCapture("/nonexistent.mp4", cv2.CAP_FFMPEG)
print("from us \\u00e9", file=sys.stderr)
"""


def stderr_after(call):
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(call=call)], capture_output=True, check=True
    )
    return done.stderr.decode()


def test_opencv_says_nothing_but_libjpeg_does():
    text = stderr_after("quieten_opencv")
    assert "Corrupt JPEG data" in text
    assert "WARN" not in text


def test_native_silence_keeps_what_python_says():
    text = stderr_after("silence_native_stderr")
    assert "from a C library" not in text
    assert "Corrupt JPEG" not in text
    assert text.splitlines()[-1] == "from us é"
