"""onnxruntime, without its telemetry.

Recent builds keep a device id in the user's cache and look up their maker's host by default.
Nothing but alerts and state may leave this device, so the switch is set before the library is
loaded, which is when it is read. Import onnxruntime from here only.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["onnxruntime"]
