"""The verdict on a whole recording: a good one, and such that are wrong in one thing each."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.soak.table import lines
from tests.soak.verdict import figures, judge_shift

Recording = dict[str, Any]


def recorded() -> Recording:
    """Two hours in which nothing grows."""
    usual = {"rss_mb": 230.0, "pss_mb": 190.0, "anon_mb": 160.0, "fds": 16.0, "threads": 15.0}
    samples = [
        {
            "time": {"hours": n / 60},
            **{who: dict(usual) for who in ("agent", "camera", "hub")},
            "disk": {"state_mb": 2.0},
        }
        for n in range(120)
    ]
    return {
        "shift": {"hours": 2.0, "speed": 16.0, "seed": 1},
        "samples": samples,
        "report": {"frames": {"processed": 90}, "tracks": 7, "alerts": {"raised": 9, "pending": 0}},
        "hub_events": 10,
        "codes": {"agent": 0, "camera": 0},
        "died": [],
        "refused": {"arm: no": 2},
        "said": {"agent": {"alert": 9, "stopped": 1}},
    }  # fmt: skip


def grown(who: str, what: str, per_hour: float) -> Callable[[Recording], None]:
    def change(recording: Recording) -> None:
        for sample in recording["samples"]:
            sample[who][what] += per_hour * sample["time"]["hours"]

    return change


def changed(*path: str, to: Any) -> Callable[[Recording], None]:
    def change(recording: Recording) -> None:
        place = recording
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = to

    return change


def test_a_flat_shift_is_not_broken() -> None:
    verdict = judge_shift(recorded())
    assert verdict["broken"] == []
    assert verdict["processes"]["agent"]["mb_per_day"] == 0
    assert lines(verdict)[-1] == "  flat"


WRONG: dict[str, Callable[[Recording], None]] = {
    "agent, memory": grown("agent", "anon_mb", 0.7),
    "camera, memory": grown("camera", "anon_mb", 0.7),
    "hub, memory": grown("hub", "anon_mb", 0.7),
    "agent, fds": grown("agent", "fds", 1),
    "hub, threads": grown("hub", "threads", 2),
    "state_mb": grown("disk", "state_mb", 8),
    "ended by itself": changed("died", to=["hub"]),
    "agent ended with 70": changed("codes", "agent", to=70),
    "did not end in time": changed("said", "agent", "a stage did not end in time", to=1),
    "100 samples of 120": lambda recording: recording["samples"].__delitem__(slice(100, None)),
    "3 pending": changed("report", "alerts", "pending", to=3),
    "8 at the hub": changed("hub_events", to=8),
    "no alert was raised": changed("report", "alerts", "raised", to=0),
    "no alert was": changed("report", to={}),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_one_line(what: str) -> None:
    recording = copy.deepcopy(recorded())
    WRONG[what](recording)
    verdict = judge_shift(recording)
    [wrong] = verdict["broken"]
    assert what in wrong
    assert lines(verdict)[-1] == "  BROKEN"
    assert any(wrong in line for line in lines(verdict))


def test_figures_are_of_the_time_after_the_warm_up() -> None:
    recording = recorded()
    for sample in recording["samples"][:29]:
        sample["agent"] |= {"anon_mb": 900.0, "fds": 99.0}
    grown("agent", "anon_mb", 0.5)(recording)
    found = figures("agent", recording["samples"])
    assert (found["mb_per_hour"], found["mb_per_day"], found["fds_most"]) == (0.5, 12.0, 16.0)
