"""What shall happen when, as it is typed: `30:battery=5`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, get_args

from firmware_sim import device as d
from firmware_sim import gps
from firmware_sim.device.effects import Button


@dataclass(frozen=True, slots=True)
class Resize:
    """The camera gives pictures of this size from now on, pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Rate:
    """The camera gives at most so many pictures a second from now on."""

    fps: float


@dataclass(frozen=True, slots=True)
class HangUp:
    """Every viewer is cut off; they may come back at once."""


CameraCommand: TypeAlias = Resize | Rate | HangUp
Happening: TypeAlias = d.Command | gps.GpsCommand | CameraCommand


@dataclass(frozen=True, slots=True)
class Event:
    """At so many seconds from the start, this happens."""

    at_s: float
    what: Happening


def parse(text: str) -> Event:
    """`SECONDS:NAME[=VALUE[,VALUE]]`.

    Raises:
        ValueError: what is wrong with it.
    """
    when, _, rest = text.partition(":")
    name, sign, value = rest.partition("=")
    make = _NAMES.get(name)
    if make is None:
        raise ValueError(f"{text}: write SECONDS:NAME=VALUE with one of {', '.join(_NAMES)}")
    try:
        at_s = float(when)
        what = make(*(value.split(",") if sign else ()))
        _try_out(what)
    except (TypeError, ValueError):
        raise ValueError(f"{text}: write SECONDS:{name}{_FORMS[name]}") from None
    if not 0 <= at_s < 1e7:  # noqa: PLR2004
        raise ValueError(f"{text}: write SECONDS from the start, 0 or more")
    return Event(at_s, what)


def _try_out(what: Happening) -> None:
    """Let it happen to a camera that nobody has, so that figures out of bounds are found now.

    Raises:
        ValueError: one is.
    """
    if isinstance(what, (gps.Move, gps.Sky, gps.Drift, gps.Spoof)):
        gps.step(gps.GpsState(0.0), what, now=0.0)
    elif not isinstance(what, (Resize, Rate, HangUp)):
        device = d.Device(d.Profile(boot_s=0.0), now=0.0)
        device.step(d.PowerOn(), now=0.0)
        device.step(what, now=0.0)


def _press(button: str) -> d.Press:
    if button not in get_args(Button):
        raise ValueError(button)
    return d.Press(button)  # type: ignore[arg-type]


def _size(text: str) -> Resize:
    width, height = (int(part) for part in text.split("x"))
    if not (16 <= width <= 16384 and 16 <= height <= 16384):  # noqa: PLR2004
        raise ValueError(text)
    return Resize(width, height)


def _sky(used: str, accuracy_m: str = "4") -> gps.Sky:
    return gps.Sky(int(used), float(accuracy_m))


def _rate(text: str) -> Rate:
    fps = float(text)
    if not 0 < fps <= 1000:  # noqa: PLR2004
        raise ValueError(text)
    return Rate(fps)


def _floats(make: Callable[..., Any]) -> Callable[..., Any]:
    def made(*texts: str) -> Any:
        return make(*(float(text) for text in texts))

    return made


_NAMES: Mapping[str, Callable[..., Happening]] = {
    "battery": _floats(d.Charge), "plug": _floats(d.Plug), "cpu": _floats(d.Load),
    "ambient": _floats(d.Ambient), "heat": _floats(d.Heated), "fill": _floats(d.Fill),
    "press": _press, "stall": _floats(d.Stall), "hang": d.Hang, "reset": d.Reset,
    "off": d.PowerOff, "on": d.PowerOn, "clock": _floats(d.ShiftClock),
    "place": _floats(gps.Move), "sky": _sky,
    "drift": _floats(gps.Drift), "spoof": _floats(gps.Spoof),
    "size": _size, "fps": _rate, "hang-up": HangUp,
}  # fmt: skip
_FORMS = {
    "battery": "=PERCENT", "plug": "=WATTS", "cpu": "=SHARE (0 to 1)", "ambient": "=CELSIUS",
    "heat": "=CELSIUS", "fill": "=MB", "press": "=record|arm|mark|privacy", "stall": "=SECONDS",
    "hang": "", "reset": "", "off": "", "on": "", "clock": "=SECONDS",
    "place": "=LAT,LON[,NORTH_M_S,EAST_M_S]", "sky": "=SATELLITES[,ACCURACY_M]",
    "drift": "=NORTH_M_S,EAST_M_S", "spoof": "=NORTH_M,EAST_M", "size": "=WIDTHxHEIGHT",
    "fps": "=N", "hang-up": "",
}  # fmt: skip


def forms() -> str:
    """Every name with its form, for --help."""
    return ", ".join(f"{name}{form}" for name, form in _FORMS.items())


def interface(what: Happening) -> str:
    """The flag of `run` without which nobody sees it; empty when the picture shows it, too."""
    if isinstance(what, (gps.Move, gps.Sky, gps.Drift, gps.Spoof)):
        return "--gps"
    if isinstance(what, d.Press):
        return "--control SOCKET" if what.button == "arm" else ""
    return "--sysfs DIR" if isinstance(what, _OF_SYSFS) else ""


_OF_SYSFS = (d.Charge, d.Plug, d.Load, d.Ambient, d.Heated)
