"""Holds a recorded timeline of faults to what must be so, whatever happened to the device.

1. the agent did not fall over, and its log of what it did is whole;
2. every alert that it raised was received, under its one id, or given up and told of;
3. nobody was looked at while it was disarmed, and nobody who had been taken off the list named;
4. within the stated time after the last fault it is armed and well, and names whoever walks by.

What hangs on time alone (the fourth, and the lamp) shows nothing on a machine that has no time for
the agent: such a timeline is void, which is not the same as good.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from tests.faults.facts import (
    afterwards,
    armed_spans,
    is_match,
    metres,
    raised,
    raised_ids,
    received_alerts,
)
from tests.faults.recording import Recording, Sample

COOLDOWN_S: Final = 2.0
ARRIVES_S: Final = 5.0
"""From an alert's picture to the subscriber, once the device has recovered."""
_DISK_FULL: Final = 74
_HERE_M: Final = 100.0
_CLOCK_S: Final = 0.05
"""Records and alerts have their times in milliseconds, and are made by different threads."""
_TAKES_S: Final = 0.3
"""Between that the list has changed and that we know."""
_LAMP_S: Final = 1.5
"""Until the lamp follows, on a machine with other work."""
BUSY: Final = 3.0
"""Processes for each core: an agent that wants a quarter of one gets less than it needs."""
GAP: Final = "bodycam.gap.v1"


Rule = Callable[[Recording], Iterator[str]]


@dataclass(frozen=True)
class Verdict:
    """What came of a timeline.

    Attributes:
        name: of it.
        broken: what is not as it must be, a line each.
        void: it is broken in time alone, on a machine as busy as this.
        figures: raised, received, copies, found after recovery of how many, recovery in s.
    """

    name: str
    broken: tuple[str, ...]
    figures: Mapping[str, Any]
    void: str = ""

    @property
    def passed(self) -> bool:
        return not self.broken


def judge(it: Recording) -> Verdict:
    """Every rule, over one recording."""
    if not it.audit:
        return Verdict(it.name, tuple(_fell_over(it)) or ("nothing was recorded",), {})
    always: tuple[Rule, ...] = (
        _fell_over,
        _log_not_whole,
        _not_resumed,
        _lost,
        _doubled,
        _looked_while_disarmed,
        _named_while_disarmed,
        _named_off_the_list,
        _elsewhere,
    )
    in_time: tuple[Rule, ...] = (_lamp, _not_recovered, _missed_afterwards)
    broken = [line for rule in always for line in rule(it)]
    late = [line for rule in in_time for line in rule(it)]
    busy = late and not broken and it.load > BUSY
    void = f"{it.load:g} processes wanted each core" if busy else ""
    return Verdict(it.name, (*broken, *late), _figures(it), void)


def _fell_over(it: Recording) -> Iterator[str]:
    if it.trouble:
        yield f"the play stopped: {it.trouble}"
    if it.exit_code != 0:
        yield f"the agent ended with {it.exit_code}, not 0"
    if wrong := [code for code in it.exits if code != _DISK_FULL]:
        yield f"the agent ended by itself with {wrong[0]}"
    if "Traceback" in it.log or "internal error" in it.log:
        yield "the agent tells of a bug: see agent.log"


def _log_not_whole(it: Recording) -> Iterator[str]:
    if not it.audit_check.startswith("whole"):
        yield f"the audit log: {it.audit_check}"
    kinds = [record["kind"] for record in it.audit]
    starts, stops = kinds.count("start"), kinds.count("stop")
    if not 1 + it.kills <= starts <= 1 + it.kills + len(it.exits) or stops != starts - it.kills:
        yield f"the audit log has {starts} starts and {stops} stops, after {it.kills} kills"


def _not_resumed(it: Recording) -> Iterator[str]:
    """Who was killed while armed goes on with the same use, and says that there was a gap."""
    armed = cut = ""
    for record in it.audit if it.resumes else ():
        kind, fields = record["kind"], record["fields"]
        if kind == "start":
            armed, cut = "", armed
        elif kind == "arm":
            armed = str(fields["activation"])
            if cut not in ("", armed):
                yield f"the use {cut} was cut short and not resumed"
            cut = ""
        elif kind in ("disarm", "stop"):
            if cut:
                yield f"the use {cut} was cut short and not resumed"
            armed = cut = ""


def _lost(it: Recording) -> Iterator[str]:
    ids, received = raised_ids(it), {alert.id for alert in received_alerts(it)}
    told = sum(
        int(one["payload"]["data"]["events"])
        for one in it.received
        if one["topic"].endswith("/match") and one["payload"].get("type") == GAP
    )
    lost = sorted(set(ids) - received)
    if len(lost) > told:
        yield f"{len(lost)} alerts raised, not received, {told} told as given up: {lost[0]} …"
    if strange := sorted(received - set(ids)):
        yield f"{len(strange)} alerts received that the audit log does not know: {strange[0]} …"
    if len(ids) != len(set(ids)):
        yield "an alert is in the audit log twice"
    if not ids:
        yield "no alert was raised at all"


def _doubled(it: Recording) -> Iterator[str]:
    """One person, one activation, one cool-down: one first alert."""
    activation = {one["fields"]["event"]: one["fields"]["activation"] for one in raised(it)}
    times: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for alert in received_alerts(it):
        if not alert.update:
            times[alert.entry, activation.get(alert.id, "")][alert.id] = alert.at_us / 1e6
    for (entry, _), found in times.items():
        for before, after in pairwise(sorted(found.values())):
            if after - before < COOLDOWN_S - _CLOCK_S:
                yield f"{entry} was reported twice within {after - before:.2f} s"


def _looked_while_disarmed(it: Recording) -> Iterator[str]:
    for before, after in pairwise(it.samples):
        still = not (before.armed or after.armed) and before.since == after.since
        if still and after.frames > before.frames:
            more = after.frames - before.frames
            yield f"{more} frames were looked at while disarmed, at {after.at:.1f} s"


def _named_while_disarmed(it: Recording) -> Iterator[str]:
    """By the order of the log, which no clock can upset, and by the times of the pictures."""
    armed = ""
    for record in it.audit:
        kind, fields = record["kind"], record["fields"]
        if kind in ("arm", "disarm", "start", "stop"):
            armed = str(fields["activation"]) if kind == "arm" else ""
        elif kind == "alert" and fields["activation"] != armed:
            yield f"alert {fields['event']} was raised while disarmed"
    spans = armed_spans(it)
    for alert in received_alerts(it):
        at = alert.at_us / 1e6
        if not any(begin - _CLOCK_S <= at <= end + _CLOCK_S for begin, end in spans):
            yield f"alert {alert.id} is from a picture at {at:.2f} s, when it was disarmed"


def _named_off_the_list(it: Recording) -> Iterator[str]:
    for alert in received_alerts(it):
        gone = it.removed.get(alert.entry)
        if gone is not None and alert.at_us / 1e6 > gone + _TAKES_S:
            yield f"{alert.entry} was named {alert.at_us / 1e6 - gone:.1f} s after it was removed"


def _lamp(it: Recording) -> Iterator[str]:
    """Who sees it lit must be looked at, and who is looked at must see it lit."""
    for state_is, lamp_is, wrong in (
        (lambda one: one.state == "armed", False, "dark while armed"),
        (lambda one: not one.armed, True, "lit while disarmed"),
    ):
        run: list[Sample] = []
        for one in it.samples:
            run = [*run, one] if state_is(one) and one.lamp is lamp_is else []
            if run and run[-1].at - run[0].at > _LAMP_S:
                yield f"the lamp was {wrong}, at {one.at:.1f} s"
                run = []


def _elsewhere(it: Recording) -> Iterator[str]:
    """No position is told that is not where it is; and one is told when all is well."""
    for one in it.received:
        payload = one["payload"]
        place = payload.get("data", {}).get("location") if is_match(one) else None
        if place is not None and (away := metres(it.place, place["lat"], place["lon"])) > _HERE_M:
            yield f"alert {payload['id']} tells a place {away:.0f} m away"
    last = [one for one in it.received if is_match(one)][-1:]
    if last and last[0]["payload"]["data"]["location"] is None:
        yield "the last alert tells no place: the receiver has been well for long"


def _not_recovered(it: Recording) -> Iterator[str]:
    took = it.score["recovery_s"]
    if took is None:
        yield "it never told again that it is armed and well"
    elif took > it.within_s:
        yield f"it took {took:.1f} s to recover, {it.within_s:g} stated"


def _missed_afterwards(it: Recording) -> Iterator[str]:
    rows = afterwards(it)
    if not rows:
        yield "nobody walked by after the recovery: the timeline shows nothing"
    for row in rows:
        if not row["found"]:
            yield f"{row['name']} walked by at {row['begin_s']:.1f} s and was not named"
    well_us = (it.over_s + it.within_s) * 1e6
    late: dict[str, float] = {}
    for alert in received_alerts(it):
        took = (alert.received_us - alert.at_us) / 1e6
        if alert.at_us >= well_us:
            late[alert.id] = min(took, late.get(alert.id, took))
    for event, took in late.items():
        if took > ARRIVES_S:
            yield f"alert {event} took {took:.1f} s to arrive, when all was well again"


def _figures(it: Recording) -> dict[str, Any]:
    got, rows = received_alerts(it), afterwards(it)
    return {
        "raised": len(raised_ids(it)),
        "received": len({alert.id for alert in got}),
        "copies": len(got) - len({alert.id for alert in got}),
        "walked_by_afterwards": len(rows),
        "named_afterwards": sum(bool(row["found"]) for row in rows),
        "recovery_s": it.score["recovery_s"],
        "recovers_within_s": it.within_s,
        "disarmed_s": round(_disarmed_s(it.samples), 1),
    }


def _disarmed_s(samples: Sequence[Sample]) -> float:
    return sum(after.at - before.at for before, after in pairwise(samples) if not before.armed)
