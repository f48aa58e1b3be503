"""What a device shows of itself."""

from __future__ import annotations

from typing import Literal, TypeAlias

State: TypeAlias = Literal["off", "disarmed", "arming", "armed", "degraded", "locked"]
