"""What is known of a timeline once it was played: everything that is judged, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Sample:
    """What the device said when asked, many times a second.

    Attributes:
        at: story time, s.
        armed: matching is on.
        state: as told to everybody.
        since: when that began, by the device's clock.
        frames: worked on so far.
        lamp: lit without a break, as the camera's body has it.
    """

    at: float
    armed: bool
    state: str
    since: str
    frames: int
    lamp: bool


@dataclass(frozen=True)
class Recording:
    """Of one timeline.

    Attributes:
        name: of the timeline.
        over_s: when its last fault was over, story time.
        within_s: stated: it works as before so long after that.
        seconds: of the story.
        place: where the camera really is, degrees.
        shifts: (story time, by how much) the clocks were really set, microseconds.
        removed: entry to when the device had it from the list no more, story time in s.
        exit_code: of the agent; None: it had to be killed.
        kills: how often the story killed it.
        resumes: after a kill a use that was cut short goes on by itself.
        exits: codes with which it ended by itself before the end, and was started again.
        trouble: why the play itself could not go on; empty when it did.
        log: what the agent said.
        audit: records of its log, in order.
        audit_check: what the script for third parties says of it.
        received: every message of the independent subscriber.
        start_at: capture time of the first picture, s since 1970.
        score: the score sheet.
        samples: in order of time.
        load: of the machine at the end: processes that want to run, for each core.
    """

    name: str
    over_s: float
    within_s: float
    seconds: float
    place: tuple[float, float]
    shifts: Sequence[tuple[int, int]]
    removed: Mapping[str, float]
    exit_code: int | None
    trouble: str
    log: str
    audit: Sequence[Mapping[str, Any]]
    audit_check: str
    received: Sequence[Mapping[str, Any]]
    start_at: float
    score: Mapping[str, Any]
    samples: Sequence[Sample] = field(default=())
    load: float = 0.0
    kills: int = 0
    resumes: bool = True
    exits: Sequence[int] = ()

    def write(self, path: Path) -> None:
        """As JSON, so that it can be judged again."""
        path.write_text(json.dumps(asdict(self)) + "\n")


def read(path: Path) -> Recording:
    """What `Recording.write` wrote."""
    values = json.loads(path.read_text())
    values["samples"] = [Sample(**one) for one in values["samples"]]
    values["shifts"] = [tuple(one) for one in values["shifts"]]
    values["place"] = tuple(values["place"])
    return Recording(**values)
