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
    content = _load(path)
    try:
        return [
            ChannelRange(_array(item["low"]), _array(item["high"])) for item in content["layers"]
        ]
    except (KeyError, TypeError, ValueError):
        raise _wrong(path) from None


def read_yunet(path: Path) -> dict[str, UnitRange]:
    """Ranges of each unit of the detector."""
    content = _load(path)
    try:
        return {name: _unit(content["units"][name]) for name in UNITS}
    except (KeyError, TypeError, ValueError):
        raise _wrong(path) from None


def dump(made_from: str, **content: Any) -> str:
    """The text of a range file; `made_from` says on which pictures and how."""
    return json.dumps({"made_from": made_from, **content}, separators=(",", ":")) + "\n"


def rounded(values: F64) -> list[float]:
    """Four significant digits: more would not be real."""
    return [float(f"{value:.4g}") for value in np.asarray(values).reshape(-1)]


def _unit(item: dict[str, Any]) -> UnitRange:
    low, high = _array(item["low"]), _array(item["high"])
    return UnitRange(low, high, float(item["out"]), float(item["into"]))


def _array(values: list[float]) -> F64:
    return np.array(values, np.float64)


def _load(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except OSError as error:
        why = (error.strerror or "cannot be read").lower()
        raise MissingFileError(f"{path}: {why}; reinstall the package") from None
    except ValueError:
        raise _wrong(path) from None
    return content


def _wrong(path: Path) -> DataError:
    return DataError(f"{path}: not a file of activation ranges; reinstall the package")
