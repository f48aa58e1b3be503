"""On what the figures were measured."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

FLAGS = (
    "avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8",
    "neon", "asimd", "asimddp", "i8mm", "sve",
)  # fmt: skip
"""Instructions that decide how fast the networks run."""
PACKAGES = ("onnxruntime", "opencv-python-headless", "numpy", "hnswlib", "dlib")


def machine() -> dict[str, Any]:
    """Processor, instructions, cores, memory, system and versions."""
    described = _cpuinfo(Path("/proc/cpuinfo"))
    flags = set((described.get("flags") or described.get("Features") or "").split())
    return {
        "cpu": _model(described),
        "flags": [flag for flag in FLAGS if flag in flags],
        "cores": os.cpu_count() or 1,
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _model(described: dict[str, str]) -> str:
    name = described.get("model name") or described.get("Model") or platform.machine()
    family = described.get("cpu family")
    return f"{name} (family {family}, model {described.get('model')})" if family else name


def _cpuinfo(path: Path) -> dict[str, str]:
    """The first processor's fields."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return {}
    fields = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in fields}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
