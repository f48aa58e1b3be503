"""Recordings made up by hand: a good one that passes, and one for each rule that it breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.faults.judge import judge
from tests.faults.recording import Recording, Sample, read
from tests.faults.table import as_table
from tests.faults.timelines import Timeline, story

START, HERE = 1_800_000_000.0, (47.6062, -122.3321)
ACT, LATER = "ACT-1", "ACT-2"


def iso(at: float) -> str:
    return datetime.fromtimestamp(START + at, timezone.utc).isoformat().replace("+00:00", "Z")


def record(at: float, kind: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "time": iso(at), "fields": fields}


def raised(at: float, event: str, activation: str = ACT) -> dict[str, Any]:
    return record(at + 0.05, "alert", event=event, activation=activation)


def came(at: float, event: str, entry: str = "E-1", **more: Any) -> dict[str, Any]:
    data = {"entry": entry, "similarity": 0.6, "location": {"lat": HERE[0], "lon": HERE[1]}}
    payload = {
        "id": event, "type": more.get("type", "bodycam.match.v1"), "time": iso(at),
        "data": {**data, **more.get("data", {})},
    }  # fmt: skip
    received = START + more.get("received", at + 0.2)
    return {"topic": "bodycam/a/c/match", "received_at": received, "payload": payload}


def asked(at: float, *, armed: bool = True, frames: int = 0, **more: Any) -> Sample:
    state = more.get("state", "armed" if armed else "disarmed")
    return Sample(at, armed, state, more.get("since", state), frames, more.get("lamp", armed))


def row(name: str, begin: float, *, found: bool = True) -> dict[str, Any]:
    return {"name": name, "entry": name, "begin_s": begin, "end_s": begin + 3, "found": found}


LOG = (
    record(-5, "start"), record(-4, "arm", activation=ACT), raised(1.5, "A"),
    record(5, "disarm", activation=ACT), record(7, "arm", activation=LATER),
    raised(20.5, "B", LATER), record(28.5, "disarm", activation=LATER), record(29, "stop"),
)  # fmt: skip
GOOD = Recording(
    name="good", over_s=7.0, within_s=4.0, seconds=28.0, place=HERE, shifts=(), removed={},
    exit_code=0, trouble="", log="armed reason=story", audit=LOG, audit_check="whole up to 7",
    received=(came(1.5, "A"), came(20.5, "B")), start_at=START,
    score={"recovery_s": 0.1, "appearances": [row("E-1", 1.0), row("E-1", 20.0)]},
    samples=(
        asked(1, frames=10), asked(5.1, armed=False, frames=50, state="disarmed"),
        asked(5.3, armed=False, frames=50, state="disarmed"), asked(7.2, frames=51),
        asked(9, frames=80),
    ),
)  # fmt: skip


def with_log(*records: dict[str, Any], without: str = "") -> tuple[dict[str, Any], ...]:
    """The good log with more records, in order of time."""
    rest = [one for one in LOG if one["fields"].get("event") != without]
    return tuple(sorted((*rest, *records), key=lambda one: str(one["time"]).replace("Z", ".")))


def score(**changes: Any) -> dict[str, Any]:
    return {**GOOD.score, **changes}


ELSEWHERE = {"location": {"lat": HERE[0] + 0.01, "lon": HERE[1]}}
GAP = came(3.0, "G", type="bodycam.gap.v1", data={"events": 1})
BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "killed": ({"exit_code": None}, "ended with None"),
    "crashed": ({"exit_code": 70}, "ended with 70"),
    "alerts left": ({"exit_code": 75}, "ended with 75"),
    "ended by itself": ({"exits": (70,)}, "ended by itself with 70"),
    "killed and not started": ({"kills": 1}, "1 starts and 1 stops, after 1 kills"),
    "use not resumed": (
        {
            "kills": 1,
            "audit": with_log(record(3, "start"), record(3.1, "arm", activation="ACT-3")),
        },
        "the use ACT-1 was cut short and not resumed",
    ),
    "disarmed after a kill": (
        {"kills": 1, "audit": with_log(record(3, "start"))},
        "the use ACT-1 was cut short and not resumed",
    ),
    "bug": ({"log": "Traceback (most recent call last):"}, "tells of a bug"),
    "play stopped": ({"trouble": "never: the list changed"}, "the play stopped"),
    "nothing recorded": ({"audit": ()}, "nothing was recorded"),
    "log changed": ({"audit_check": "NOT WHOLE: record 3 changed"}, "NOT WHOLE"),
    "started twice": ({"audit": with_log(record(3, "start"))}, "2 starts"),
    "lost": ({"received": GOOD.received[1:]}, "1 alerts raised, not received"),
    "one told, two lost": (
        {"received": (GAP,)},
        "2 alerts raised, not received, 1 told",
    ),
    "unheard of": ({"received": (*GOOD.received, came(2.0, "C", "E-2"))}, "does not know"),
    "in the log twice": ({"audit": with_log(raised(1.5, "A"))}, "in the audit log twice"),
    "silent": ({"audit": with_log(without="A")[:-3], "received": ()}, "no alert was raised"),
    "two ids": (
        {
            "audit": with_log(raised(2.5, "A2")),
            "received": (*GOOD.received, came(2.5, "A2")),
        },
        "reported twice within 1.00 s",
    ),
    "matching while disarmed": (
        {"samples": (*GOOD.samples[:2], replace(GOOD.samples[2], frames=53), *GOOD.samples[3:])},
        "3 frames were looked at while disarmed",
    ),
    "raised while disarmed": (
        {"audit": with_log(raised(6, "C")), "received": (*GOOD.received, came(4.9, "C"))},
        "alert C was raised while disarmed",
    ),
    "raised under an activation that is over": (
        {"audit": with_log(raised(9, "C")), "received": (*GOOD.received, came(9.0, "C"))},
        "alert C was raised while disarmed",
    ),
    "a picture of the disarmed time": (
        {
            "audit": with_log(raised(7.2, "C", LATER)),
            "received": (*GOOD.received, came(6.0, "C")),
        },
        "picture at 6.00 s, when it was disarmed",
    ),
    "off the list": ({"removed": {"E-1": 9.0}}, "named 11.5 s after it was removed"),
    "dark lamp": (
        {"samples": (*GOOD.samples, *(asked(10 + n, frames=90, lamp=False) for n in range(4)))},
        "dark while armed",
    ),
    "lit lamp": (
        {"samples": tuple(asked(5 + n / 2, armed=False, lamp=True) for n in range(8))},
        "lit while disarmed",
    ),
    "another place": (
        {"received": (GOOD.received[0], came(20.5, "B", data=ELSEWHERE))},
        "tells a place 1112 m away",
    ),
    "no place": (
        {"received": (GOOD.received[0], came(20.5, "B", data={"location": None}))},
        "tells no place",
    ),
    "never well": ({"score": score(recovery_s=None)}, "never told again"),
    "slow": ({"score": score(recovery_s=4.5)}, "4.5 s to recover, 4 stated"),
    "not named": (
        {"score": score(appearances=[row("E-1", 20.0, found=False)])},
        "walked by at 20.0 s and was not named",
    ),
    "nobody came": ({"score": score(appearances=[row("E-1", 8.0)])}, "nobody walked by"),
    "late": (
        {"received": (GOOD.received[0], came(20.5, "B", received=26.0))},
        "took 5.5 s to arrive",
    ),
}  # fmt: skip


def test_a_good_recording_passes() -> None:
    verdict = judge(GOOD)
    assert verdict.broken == ()
    assert verdict.figures["raised"] == verdict.figures["received"] == 2
    assert verdict.figures["named_afterwards"] == verdict.figures["walked_by_afterwards"] == 1


@pytest.mark.parametrize(("changes", "told"), BROKEN.values(), ids=BROKEN.keys())
def test_each_rule_is_told_when_it_is_broken(changes: dict[str, Any], told: str) -> None:
    broken = judge(replace(GOOD, **changes)).broken
    assert any(told in line for line in broken), broken


GOOD_TOO: dict[str, dict[str, Any]] = {
    "killed and started again": {
        "kills": 1,
        "audit": with_log(record(3, "start"), record(3.1, "arm", activation=ACT)),
    },
    "not resumed, and need not be": {
        "kills": 1,
        "resumes": False,
        "audit": with_log(record(3, "start"), record(3.1, "arm", activation="ACT-3")),
    },
    "a copy": {"received": (*GOOD.received, came(1.5, "A", received=4.0))},
    "given up and told of": {"received": (GOOD.received[1], GAP)},
    "an update in the cool-down": {
        "audit": with_log(raised(2.5, "U")),
        "received": (*GOOD.received, came(2.5, "U", type="bodycam.match.update.v1")),
    },
    "no place while the receiver was away": {
        "received": (came(1.5, "A", data={"location": None}), GOOD.received[1])
    },
    "who was removed is not missed": {
        "removed": {"E-2": 3.0},
        "score": score(appearances=[row("E-1", 20.0), row("E-2", 20.0, found=False)]),
    },
    "missed during the faults": {
        "score": score(appearances=[row("E-1", 8.0, found=False), row("E-1", 20.0)])
    },
}


@pytest.mark.parametrize("changes", GOOD_TOO.values(), ids=GOOD_TOO.keys())
def test_what_may_be_is_not_held_against_it(changes: dict[str, Any]) -> None:
    assert judge(replace(GOOD, **changes)).broken == ()


@pytest.mark.parametrize("by_s", [600.0, -600.0, 86_400.0, -86_400.0])
def test_a_clock_that_jumps_moves_no_alert_out_of_its_time(by_s: float) -> None:
    """The device's clock says another time from 3 s on, in its log and its alerts."""

    def jumped(at: float, make: Callable[..., dict[str, Any]], *args: Any) -> dict[str, Any]:
        made = make(at + (by_s if at > 3 else 0.0), *args)
        return {**made, "received_at": START + at + 0.2} if "topic" in made else made

    log = (
        *LOG[:3], jumped(5, lambda at: record(at, "disarm", activation=ACT)),
        jumped(7, lambda at: record(at, "arm", activation=LATER)),
        jumped(20.5, raised, "B", LATER),
        jumped(28.5, lambda at: record(at, "disarm", activation=LATER)),
        jumped(29, lambda at: record(at, "stop")),
    )  # fmt: skip
    shifts = ((3_000_000, round(by_s * 1e6)),)
    good = replace(
        GOOD, audit=log, shifts=shifts, received=(GOOD.received[0], jumped(20.5, came, "B"))
    )
    assert judge(good).broken == ()
    bad = replace(good, received=(GOOD.received[0], jumped(6.0, came, "B")))
    assert any("at 6.00 s, when it was disarmed" in line for line in judge(bad).broken)


def test_lateness_on_a_busy_machine_is_void_and_no_pass() -> None:
    slow = replace(GOOD, score=score(recovery_s=4.5), load=9.0)
    assert judge(slow).void == "9 processes wanted each core"
    assert not judge(slow).passed
    assert judge(replace(slow, load=1.0)).void == ""
    assert judge(replace(GOOD, load=9.0)).passed
    assert judge(replace(slow, exit_code=70)).void == ""
    lost = replace(GOOD, received=GOOD.received[1:], load=9.0)
    assert judge(lost).broken
    assert judge(lost).void == ""


def test_what_was_written_is_judged_again(tmp_path: Path) -> None:
    path = tmp_path / "recording.json"
    for it in (GOOD, replace(GOOD, exit_code=70, shifts=((3, 4),))):
        it.write(path)
        assert judge(read(path)) == judge(it)


def test_the_table_counts_broken_timelines_and_says_what_is() -> None:
    plan = [Timeline(name, ("hot",), story("t", [], None)) for name in ("a", "b")]
    verdicts = [judge(GOOD), judge(replace(GOOD, name="b", exit_code=1))]
    table = as_table(verdicts, plan)
    assert "hot                     2      0       1         0.1       4      2/2" in table
    assert "BROKEN  b: the agent ended with 1, not 0" in table
