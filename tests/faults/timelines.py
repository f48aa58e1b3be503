"""Timelines of faults as stories: each fault alone, and pairs drawn by lot that overlap in time.

Every timeline has the same street, so that it is drawn once: two listed people come and go, again
and again, before the faults, during them and after them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Final

from firmware_sim.story.events import Event, over_s
from firmware_sim.story.format import Story

SECONDS: Final = 28.0
OVER_S: Final = 11.0
"""No fault lasts longer than this, story time."""
_BEGIN_S: Final = (3.0, 4.5)
_LONGEST_S: Final = 5.2
_EVERY_S: Final = 6.0
_CAMERA: Final = {"width": 640, "height": 360, "hfov_deg": 60, "fps": 10}
_FIRMWARE: Final = {"boot_s": 2.0, "watchdog_s": 2.0}
RULED_SECONDS: Final = 34.0
RULED_RECOVERS_S: Final = 18.0
"""After a leap a receiver of positions is not believed for 10 s; then somebody arms."""
SEED: Final = 77
"""Of the street."""
Made = tuple[tuple[float, dict[str, Any]], ...]
"""Events with their times from the beginning of the fault, s."""


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
        name: of it.
        make: draws one.
        recovers_s: stated: so long after its end the device works as before.
    """

    name: str
    make: Callable[[random.Random], Made]
    recovers_s: float


@dataclass(frozen=True)
class Timeline:
    """Faults, and the story that has them.

    Attributes:
        name: of it.
        faults: names of their kinds.
        story: with the time of recovery it states.
    """

    name: str
    faults: tuple[str, ...]
    story: Story


def _lasting(do: str, least_s: float, most_s: float, **draw: Sequence[float]) -> Any:
    def make(lot: random.Random) -> Made:
        drawn = {key: lot.choice(values) for key, values in draw.items()}
        return ((0.0, {"do": do, "seconds": round(lot.uniform(least_s, most_s), 2), **drawn}),)

    return make


def _at_once(do: str, **fields: Any) -> Any:
    return lambda _lot: ((0.0, {"do": do, **fields}),)


def _there_and_back(bad: Mapping[str, Any], well: Mapping[str, Any], *more: str) -> Any:
    """Until the cause is mended, some seconds later."""

    def make(lot: random.Random) -> Made:
        later = round(lot.uniform(4.5, 5.2), 2)  # two looks of the governor, and a little
        return ((0.0, dict(bad)), (later, dict(well)), *((later, {"do": one}) for one in more))

    return make


def _killed(lot: random.Random) -> Made:
    """Its wearer looks at it some seconds later, and arms where it did not by itself."""
    seconds = round(lot.uniform(0.5, 3.0), 2)
    return ((0.0, {"do": "kill_agent", "seconds": seconds}), (5.0, {"do": "arm"}))


def _resized(lot: random.Random) -> Made:
    width, height = lot.choice(((320, 180), (480, 480), (1280, 720)))
    seconds = round(lot.uniform(2.0, 5.0), 2)
    return ((0.0, {"do": "resize_camera", "width": width, "height": height, "seconds": seconds}),)


def _clock(lot: random.Random) -> Made:
    by_s = lot.choice((600.0, -600.0, 86_400.0, -86_400.0))
    return ((0.0, {"do": "shift_clock", "by_s": by_s}),)


_FULL, _COOL = {"do": "battery", "percent": 90}, {"do": "heat", "celsius": 30}
FAULTS: Final[tuple[Fault, ...]] = (
    Fault("stall_camera", _lasting("stall_camera", 1.0, 4.0), 5.0),
    Fault("drop_camera", _lasting("drop_camera", 1.0, 4.0), 5.0),
    Fault("hang_camera", _at_once("hang_camera"), 6.0),
    Fault("reset_camera", _at_once("reset_camera"), 6.0),
    Fault("resize_camera", _resized, 3.0),
    Fault("slow_camera", _lasting("slow_camera", 2.0, 5.0, fps=(1, 2, 4)), 3.0),
    Fault("cut_link", _lasting("cut_link", 1.0, 5.0), 5.0),
    Fault("stall_link", _lasting("stall_link", 1.0, 5.0), 8.0),
    Fault("slow_link", _lasting("slow_link", 2.0, 5.0, latency_s=(0.2, 0.5, 1.0)), 5.0),
    Fault("half_open_link", _at_once("half_open_link"), 12.0),
    Fault("portal_link", _lasting("portal_link", 1.0, 4.0), 6.0),
    Fault("lose_gps", _lasting("lose_gps", 2.0, 5.0), 3.0),
    Fault("drift_gps", _lasting("drift_gps", 2.0, 5.0, north_m_s=(-4, 2, 8)), 3.0),
    Fault("spoof_gps", _lasting("spoof_gps", 2.0, 5.0, north_m=(-3000, 400, 90_000)), 3.0),
    Fault("battery_low", _there_and_back({"do": "battery", "percent": 12}, _FULL), 12.0),
    Fault("battery_empty", _there_and_back({"do": "battery", "percent": 3}, _FULL, "arm"), 12.0),
    Fault("hot", _there_and_back({"do": "heat", "celsius": 84}, _COOL), 12.0),
    Fault("overheated", _there_and_back({"do": "heat", "celsius": 97}, _COOL, "arm"), 12.0),
    Fault("shift_clock", _clock, 4.0),
    Fault("fill_disk", _lasting("fill_disk", 2.0, 5.0), 8.0),
    Fault("remove_entry", _at_once("remove_entry", entry="E-1"), 6.0),
    Fault("kill_agent", _killed, 12.0),
    Fault("disarm", _there_and_back({"do": "disarm"}, {"do": "arm"}), 4.0),
)


def _set_right(lot: random.Random) -> Made:
    """Somebody sets the clock back, and a time server sets it right again. One that was ahead is
    not believed before the true time has come as far: nothing to be seen within a story.
    """
    by_s = lot.choice((-600.0, -86_400.0))
    later = round(lot.uniform(2.0, 4.0), 2)
    moves = (0.0, by_s), (later, -by_s)
    return tuple((at, {"do": "shift_clock", "by_s": by}) for at, by in moves)


RULED: Final[tuple[Fault, ...]] = tuple(
    replace(fault, make=_set_right) if fault.name == "shift_clock" else fault for fault in FAULTS
)
"""The same under an agency's rules: where the satellites vouch for the clock, nobody can arm before
it is right again.
"""
SETTINGS: Final[Mapping[str, float]] = {
    "models.threads": 1,
    "decision.cooldown_s": 2,
    "camera.stall_s": 2,
    "camera.reconnect_s": 0.2,
    "governor.after_s": 1,
    "governor.hold_s": 2,
    "mqtt.keepalive_s": 5,
    "mqtt.connect_timeout_s": 2,
    "delivery.retry_first_s": 0.1,
    "delivery.retry_cap_s": 1,
    "delivery.ack_timeout_s": 4,
}
"""Patience that fits into half a minute, and one thread where several agents share a machine;
everything else is as shipped."""


def needed(fault: Fault) -> frozenset[str]:
    """Kinds of events that a fault is made of."""
    return frozenset(str(event["do"]) for _, event in fault.make(random.Random(0)))


def alone(faults: Iterable[Fault], seed: int, *, ruled: bool = False) -> list[Timeline]:
    """Each fault by itself. `ruled`: as under an agency's rules, see `RULED`."""
    return [
        _timeline(fault.name, (fault,), random.Random(f"{seed} {fault.name}"), ruled=ruled)
        for fault in faults
    ]


def pairs(faults: Sequence[Fault], seed: int, count: int, *, ruled: bool = False) -> list[Timeline]:
    """So many pairs of different faults, drawn by lot; none twice before each came once."""
    lot = random.Random(f"{seed} pairs")
    drawn: list[tuple[Fault, Fault]] = []
    while len(drawn) < count:
        every = list(combinations(faults, 2))
        lot.shuffle(every)
        drawn += every
        if not every:
            return []
    return [
        _timeline(f"{number:02d}-{one.name}+{other.name}", (one, other), lot, ruled=ruled)
        for number, (one, other) in enumerate(drawn[:count], 1)
    ]


def _timeline(name: str, faults: tuple[Fault, ...], lot: random.Random, *, ruled: bool) -> Timeline:
    """The second fault begins while the first one lasts."""
    events: list[dict[str, Any]] = []
    at, latest = lot.uniform(*_BEGIN_S), 0.0
    for fault in faults:
        made = fault.make(lot)
        events += (mine := [{"at": round(at + later, 2), **one} for later, one in made])
        latest = max(_over_s(one) for one in mine)
        at = lot.uniform(at, max(at, min(latest, OVER_S - _LONGEST_S)))
    events.sort(key=lambda event: event["at"])
    within_s = max(fault.recovers_s for fault in faults)
    if ruled:  # whoever wears it looks at it then, and arms where rules have disarmed it
        events.append({"at": round(max(map(_over_s, events)), 2), "do": "arm"})
        within_s = max(within_s, RULED_RECOVERS_S)
    seconds = RULED_SECONDS if ruled else SECONDS
    told = story(name, events, within_s, seconds)
    return Timeline(name, tuple(fault.name for fault in faults), told)


def _over_s(event: Mapping[str, Any]) -> float:
    return over_s(Event.model_validate(event), **_FIRMWARE)


def story(
    title: str,
    events: Sequence[Mapping[str, Any]],
    within_s: float | None,
    seconds: float = SECONDS,
) -> Story:
    """The street with these events, and the time of recovery that is stated."""
    return Story.model_validate(
        {
            "title": title,
            "seed": SEED,
            "seconds": seconds,
            "pace": "live",
            "camera": {**_CAMERA, "motion": [{"at": 0, "gait": "stand"}]},
            "people": [person for start in _starts(seconds) for person in _two(start)],
            "list": {"distractors": 100},
            "body": _FIRMWARE,
            "events": list(events),
            "settings": dict(SETTINGS),
            "expect": {"found_at_least": 0, "recovers_within_s": within_s},
        }
    )


def _starts(seconds: float) -> list[float]:
    return [number * _EVERY_S for number in range(int((seconds - 4.0) // _EVERY_S) + 1)]


def _two(start: float) -> list[dict[str, Any]]:
    """Two listed people come from both sides, stand before the officer, and go."""
    number = round(start / _EVERY_S) + 1
    return [
        {
            "who": who,
            "entry": entry,
            "name": f"{who}-{number}",
            "outfit": 5 * number,
            "path": [
                [start + 0.1, side * 2.6, 2.2],
                [start + 0.9, side * 0.45, 1.9],
                [start + 2.7, side * 0.4, 1.8],
                [start + 3.6, side * 2.8, 2.2],
            ],
        }
        for who, entry, side in (("p01", "E-1", -1), ("p02", "E-2", 1))
    ]
