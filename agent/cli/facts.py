"""An agent's answer for people: one fact a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_UNITS: Final = {"_px": "px", "_days": "days", "_mb": "MB", "_s": "s", "_ms": "ms", "_c": "°C"}
_NAMES: Final = {
    "broker certificate": "own certificate",
    "broker broker certificate": "broker's certificate",
    "delivery": "delivery trouble",
}
_WIDTH: Final = 28


def lines(answer: Mapping[str, Any]) -> list[str]:
    """Each fact with its name; what is inside another has both names."""
    return [f"{name:>{_WIDTH}}  {value}" for name, value in _facts(answer, "")]


def _facts(answer: Mapping[str, Any], within: str) -> Iterator[tuple[str, str]]:
    for key, value in answer.items():
        if isinstance(value, Mapping):
            inner = list(_facts(value, f"{within}{key} "))
            yield from inner or [(_name(f"{within}{key}"), "none")]
            continue
        unit = next((ending for ending in _UNITS if key.endswith(ending)), "")
        yield _name(within + key.removesuffix(unit)), _value(value, _UNITS.get(unit, ""))


def _name(key: str) -> str:
    words = key.replace("_", " ").replace("-", " ")
    return _NAMES.get(words, words)


def _value(value: Any, unit: str) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(one) for one in value) or "none"
    return f"{value} {unit}".rstrip()
