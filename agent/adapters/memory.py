"""How much memory this process has used at most."""

from __future__ import annotations

import resource
from pathlib import Path

_STATUS = Path("/proc/self/status")


def rss_peak_mb(status: Path = _STATUS) -> float:
    """Largest resident set so far, in megabytes (10^6 bytes).

    From VmHWM (proc(5)): getrusage(2) also counts what the parent had before exec, and serves
    only where /proc is hidden.
    """
    try:
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    except (OSError, ValueError):
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
