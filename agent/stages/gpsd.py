"""What gpsd sends: JSON objects, one a line (gpsd.io/gpsd_json.html), from bytes to positions.

The server is not trusted: what is too long, no JSON or out of bounds is skipped and counted.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final, TypeAlias

from agent.values import Monotonic, Wall
from agent.values.place import Fix

WATCH: Final = b'?WATCH={"enable":true,"json":true};\n'
"""Asks for reports as they come."""
MAX_LINE: Final = 16_384
"""Bytes; gpsd itself keeps under 10,240."""
_2D: Final = 2
_TIME: Final = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?Z$")
_FIRST_SATELLITES: Final = 315_964_800.0
_FAR_AHEAD: Final = 7_258_118_400.0
"""1980-01-06, when GPS time began, and 2200-01-01: no receiver is right beyond."""
_FARTHEST_M: Final = 100_000.0


@dataclass(frozen=True, slots=True)
class NoFix:
    """The receiver says that it does not know where it is. `at`: monotonic seconds of arrival."""

    at: Monotonic


Report: TypeAlias = Fix | NoFix


class GpsdParser:
    """Feed it bytes, take reports.

    Attributes:
        skipped: lines that were too long, no JSON objects, or reports out of bounds.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._buffer = bytearray()
        self._too_long = False

    def feed(self, data: bytes, *, now: Monotonic) -> list[Report]:
        """Take the next bytes of the connection; the reports that are complete with them."""
        self._buffer += data
        reports: list[Report] = []
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            if self._too_long or end > MAX_LINE:
                self.skipped += 1
                self._too_long = False
            elif line.strip():
                self._line(line, reports, now)
        if len(self._buffer) > MAX_LINE:
            self._buffer.clear()
            self._too_long = True
        return reports

    def _line(self, line: bytes, reports: list[Report], now: Monotonic) -> None:
        try:
            tree = json.loads(line)
            report = _report(tree, now)
        except (ValueError, TypeError, OverflowError, RecursionError):
            self.skipped += 1
            return
        if report is not None:
            reports.append(report)


def _report(tree: Any, now: Monotonic) -> Report | None:
    """What an object says of the position; None when it speaks of something else.

    Raises:
        ValueError, TypeError, OverflowError: a report that makes no sense.
    """
    if not isinstance(tree, dict):
        raise TypeError("no object")
    if tree.get("class") != "TPV":
        return None
    mode = tree.get("mode", 0)
    if type(mode) is not int:
        raise ValueError("mode")
    if mode < _2D:
        return NoFix(now)
    return Fix(
        lat=_number(tree, "lat", 90.0),
        lon=_number(tree, "lon", 180.0),
        accuracy_m=_accuracy(tree),
        time=_time(tree.get("time")),
        at=now,
    )


def _number(tree: dict[str, Any], name: str, bound: float) -> float:
    value = tree.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(name)
    if not math.isfinite(value) or abs(value) > bound:
        raise ValueError(name)
    return float(value)


def _accuracy(tree: dict[str, Any]) -> float | None:
    """`eph`, or from `epx` and `epy` of older versions; all in metres at 95 %."""
    if "eph" in tree:
        found = _number(tree, "eph", _FARTHEST_M)
    elif "epx" in tree and "epy" in tree:
        found = math.hypot(_number(tree, "epx", _FARTHEST_M), _number(tree, "epy", _FARTHEST_M))
    else:
        return None
    if not 0 <= found <= _FARTHEST_M:
        raise ValueError("eph")
    return found


def _time(text: object) -> Wall | None:
    """Seconds since 1970 of `2026-01-31T12:34:56.789Z`; None without one."""
    if text is None:
        return None
    found = _TIME.match(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("time")
    whole = datetime.strptime(found.group(1), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    seconds = whole.timestamp() + float(found.group(2) or 0.0)
    if not _FIRST_SATELLITES <= seconds < _FAR_AHEAD:
        raise ValueError("time")
    return Wall(seconds)
