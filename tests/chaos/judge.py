"""What was raised against what was received: the counts, and what is broken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.chaos.truth import Raised


@dataclass(frozen=True)
class Arrival:
    """An event as somebody received it.

    Attributes:
        id: of the event.
        type: `bodycam.match.v1`, …
        subject: who; None in a gap event.
        activation: under which arming.
        historical: it says so itself.
        at: monotonic seconds of this machine.
        lost: how many events a gap event tells of.
    """

    id: str
    type: str
    subject: str | None
    activation: str | None
    historical: bool
    at: float
    lost: int = 0

    @property
    def is_gap(self) -> bool:
        return self.type.startswith("bodycam.gap.")


HAND_OVER_S = 3.0
"""From the decision that an event is live until it leaves a device that has little processor, s."""


@dataclass(frozen=True)
class FullDisk:
    """The phase in which the disk was full.

    Attributes:
        began, ended: monotonic seconds.
    """

    began: float
    ended: float


@dataclass
class Verdict:
    """The counts of a run; `broken` is empty when all is as it must be."""

    counts: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def judge(
    truth: Mapping[str, Raised],
    kept: Sequence[Arrival],
    seen: Sequence[Arrival],
    left: Sequence[Arrival] = (),
    *,
    live_for_s: float,
    slack_s: float,
    cooldown_s: float,
    full: FullDisk | None,
) -> Verdict:
    """Hold what was received against the truth.

    Args:
        truth: what was raised, by id.
        kept: what the receiver that acknowledges has on disk, each id once.
        seen: every arrival of every copy, at any receiver.
        left: every copy when it left the device.
        live_for_s: after this, nothing may be delivered as live.
        slack_s: what the network itself may hold a message that was live when it left.
        cooldown_s: seconds in which a subject must not be reported under two ids.
        full: None when the disk was never full.
    """
    events = [one for one in kept if not one.is_gap]
    ids = {one.id for one in events}
    raised = {key for key, one in truth.items() if one.fate != "about" or key in ids}
    missing = raised - ids
    excused = {key for key in missing if full is not None and truth[key].at <= full.ended}
    unsure = {
        key for key in truth.keys() - raised if full and full.began <= truth[key].at <= full.ended
    }
    told_outside, told_inside = _gaps(kept, full)
    given_up = min(len(excused), told_inside)
    lost = len(missing) - given_up
    overdue = [_overdue(one, truth, live_for_s) for one in seen if one.id in truth]
    late = [s for s in overdue if s > 0]
    begun = [_overdue(one, truth, live_for_s) for one in left if one.id in truth]
    counts = {
        "raised": len(raised),
        "received_distinct": len(ids),
        "doubled": doubled(truth, events, cooldown_s),
        "lost": lost,
        "gaps": told_outside,
        "expired_live": sum(s > slack_s for s in late) + sum(s > HAND_OVER_S for s in begun),
        "first_alerts": sum(truth[key].first for key in raised),
        "unheard_of": len(ids - truth.keys()),
        "given_up_on_full_disk": given_up,
        "gap_events_on_full_disk": told_inside,
        "killed_before_its_fate": len(unsure),
        "copies_received": len(seen),
        "live_overdue_max_s": round(max(late, default=0.0), 2),
        "live_overdue_at_leaving_max_s": round(max(begun, default=0.0), 2),
    }
    return Verdict(counts, _broken(counts, len(kept) - len({one.id for one in kept})))


def doubled(truth: Mapping[str, Raised], events: Iterable[Arrival], cooldown_s: float) -> int:
    """First alerts for a subject that is within its cool-down, in real time and one activation."""
    groups: dict[tuple[str | None, str | None], dict[str, float]] = defaultdict(dict)
    for one in events:
        if one.type == "bodycam.match.v1" and one.id in truth:
            groups[one.subject, one.activation][one.id] = truth[one.id].at
    count = 0
    for group in groups.values():
        times = sorted(group.values())
        count += sum(after - before < cooldown_s for before, after in pairwise(times))
    return count


def _gaps(kept: Iterable[Arrival], full: FullDisk | None) -> tuple[int, int]:
    """Events that gap events tell of, outside the full disk and within."""
    outside = inside = 0
    for one in kept:
        if one.is_gap:
            if full is not None and one.at >= full.began:
                inside += one.lost
            else:
                outside += one.lost
    return outside, inside


def _overdue(one: Arrival, truth: Mapping[str, Raised], live_for_s: float) -> float:
    """By how much a live copy came after it had ceased to be live, s."""
    return 0.0 if one.historical else max(0.0, one.at - truth[one.id].at - live_for_s)


def _broken(counts: Mapping[str, Any], twice: int) -> list[str]:
    must_be_none = ("doubled", "lost", "gaps", "expired_live", "unheard_of")
    broken = [f"{key}: {counts[key]}, must be 0" for key in must_be_none if counts[key]]
    if twice:
        broken.append(f"{twice} ids are in the receiver's store twice")
    if counts["raised"] != counts["received_distinct"] + counts["given_up_on_full_disk"]:
        broken.append("what was raised is not what was received and given up")
    told, gone = counts["gap_events_on_full_disk"], counts["given_up_on_full_disk"]
    if not gone <= told <= gone + counts["killed_before_its_fate"]:
        broken.append(f"gap events tell of {told} lost on the full disk; {gone} were")
    if not counts["raised"]:
        broken.append("nothing was raised")
    return broken
