"""How much may still be written."""

from __future__ import annotations

import os
from pathlib import Path


def free_mb(folder: Path) -> int | None:
    """Megabytes (10^6 bytes) that this user may still write; None when that cannot be told."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return None
    return status.f_bavail * status.f_frsize // 1_000_000
