"""What happens to a link when, as it is typed: `30:cut=10`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from firmware_sim.link import Link

Act = Callable[[Link, float], object]


def _set(name: str) -> Act:
    return lambda link, value: setattr(link.weather, name, value)


def _switch(name: str) -> Act:
    return lambda link, value: setattr(link.weather, name, value > 0)


_ACTS: Final[Mapping[str, tuple[Act, str]]] = {
    "latency": (_set("latency_s"), "=SECONDS"),
    "jitter": (_set("jitter_s"), "=SECONDS"),
    "rate": (_set("bytes_s"), "=BYTES_A_SECOND (0: no bound)"),
    "stall": (lambda link, seconds: link.stall(seconds), "=SECONDS"),
    "cut": (lambda link, seconds: link.cut(seconds), "=SECONDS"),
    "half-open": (lambda link, _: link.half_open(), ""),
    "portal": (_switch("portal"), "=1|0"),
}
_MOST: Final = 1e9


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """At so many seconds from the start, this happens to a link."""

    at_s: float
    name: str
    value: float

    def happen(self, link: Link) -> None:
        _ACTS[self.name][0](link, self.value)


def parse(text: str) -> LinkEvent:
    """`SECONDS:NAME[=VALUE]`.

    Raises:
        ValueError: what is wrong with it.
    """
    when, _, rest = text.partition(":")
    name, sign, value = rest.partition("=")
    if name not in _ACTS:
        raise ValueError(f"{text}: write SECONDS:NAME=VALUE with one of {', '.join(_ACTS)}")
    form = _ACTS[name][1]
    try:
        event = LinkEvent(float(when), name, float(value) if sign else 0.0)
    except ValueError:
        raise ValueError(f"{text}: write SECONDS:{name}{form}") from None
    figures = (event.at_s, event.value)
    if bool(sign) != bool(form) or not all(0 <= f <= _MOST and math.isfinite(f) for f in figures):
        raise ValueError(f"{text}: write SECONDS:{name}{form}, none below 0")
    return event


def forms() -> str:
    """Every name with its form, for --help."""
    return ", ".join(f"{name}{form}" for name, (_, form) in _ACTS.items())
