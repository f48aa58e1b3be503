"""Committed activation ranges: small JSON files, four significant digits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from agent.errors import DataError, MissingFileError
from agent.modelkit.quant import F64
from agent.modelkit.sface_int8 import ChannelRange
from agent.modelkit.yunet import UNITS, UnitRange

SFACE_FILE = "sface_ranges.json"
YUNET_FILE = "yunet_ranges.json"


def read_sface(path: Path) -> list[ChannelRange]:
    """Ranges before each PRelu of the embedder."""
    layers = _load(path)["layers"]
    return [ChannelRange(_array(item["low"]), _array(item["high"])) for item in layers]


def read_yunet(path: Path) -> dict[str, UnitRange]:
    """Ranges of each unit of the detector."""
    units = _load(path)["units"]
    return {
        name: UnitRange(
            _array(units[name]["low"]),
            _array(units[name]["high"]),
            float(units[name]["out"]),
            float(units[name]["into"]),
        )
        for name in UNITS
    }


def dump(made_from: str, **content: Any) -> str:
    """The text of a range file; `made_from` says on which pictures and how."""
    return json.dumps({"made_from": made_from, **content}, separators=(",", ":")) + "\n"


def rounded(values: F64) -> list[float]:
    """Four significant digits: more would not be real."""
    return [float(f"{value:.4g}") for value in np.asarray(values).reshape(-1)]


def _array(values: list[float]) -> F64:
    return np.array(values, np.float64)


def _load(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file; reinstall the package") from None
    except ValueError:
        raise DataError(f"{path}: not a file of activation ranges; reinstall") from None
    return content
