"""What a process and a folder take up now, as the kernel tells."""

from __future__ import annotations

import stat
from pathlib import Path

_KB_IN_MB = 1000 / 1.024


def memory_mb(rollup: str) -> dict[str, float]:
    """Of /proc/PID/smaps_rollup: resident, its share of what is shared, and what is its own alone,
    10^6 bytes.
    """
    found = dict(line.split(":", 1) for line in rollup.splitlines()[1:])
    wanted = {"rss_mb": "Rss", "pss_mb": "Pss", "anon_mb": "Anonymous"}
    return {name: round(int(found[key].split()[0]) / _KB_IN_MB, 3) for name, key in wanted.items()}


def of_process(pid: int) -> dict[str, float]:
    """Memory, open descriptors and threads.

    Raises:
        OSError: it is gone.
    """
    folder = Path(f"/proc/{pid}")
    return {
        **memory_mb((folder / "smaps_rollup").read_text()),
        "fds": float(len(list((folder / "fd").iterdir()))),
        "threads": float(len(list((folder / "task").iterdir()))),
    }


def size_mb(*places: Path) -> float:
    """Of files, and of everything in folders, 10^6 bytes; what is being replaced may be missed."""
    files = [one for place in places for one in (place.rglob("*") if place.is_dir() else (place,))]
    return round(sum(map(_bytes, files)) / 1e6, 4)


def _bytes(path: Path) -> int:
    try:
        found = path.lstat()
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0
