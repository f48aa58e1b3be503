"""What the judge of the backlog calls broken."""

from __future__ import annotations

import pytest

from tests.chaos.backlog import LIVE_FOR_S, in_order, judged
from tests.chaos.judge import Arrival
from tests.chaos.truth import Raised

BACK, AHEAD_S = 1000.0, 0.0
MINUTE_S = 60.0
OFFLINE = {
    f"O-{number}": Raised(
        f"O-{number}", f"S-{number}", "A", True, BACK - MINUTE_S * number, number % 3, "raised"
    )
    for number in range(1, 9)
}
LIVE = Raised("L-1", "S-99", "A", True, BACK + 2.0, 0, "raised")
ORDER = ["O-2", "O-4", "O-1", "O-3", "O-8", "O-5", "O-7", "O-6"]


def arrivals(ids: list[str], step_s: float = 1.0) -> list[Arrival]:
    return [
        Arrival(event, "bodycam.match.v1", "S", "A", event not in ORDER[:4], BACK + step_s * n)
        for n, event in enumerate(ids, start=1)
    ]


def broken(kept: list[Arrival]) -> list[str]:
    truth = OFFLINE | {LIVE.id: LIVE}
    return judged(OFFLINE, truth, kept, ahead_s=AHEAD_S, back=BACK)[1]


def test_live_ones_then_priority_then_time() -> None:
    assert in_order(OFFLINE, live_since=BACK - LIVE_FOR_S) == ORDER


def test_in_order_with_the_live_alert_between_is_as_it_must_be() -> None:
    assert broken(arrivals([*ORDER[:2], LIVE.id, *ORDER[2:]])) == []


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([*ORDER[:2], "L-1", *ORDER[2:-1]], "8 were raised offline, 7 arrived"),
        (["O-4", "O-2", "L-1", *ORDER[2:]], "out_of_order: 2"),
        ([*ORDER[:2], "L-1", *ORDER[2:], "O-6"], "received_twice: 1"),
        (ORDER, "live_alerts_missing: 1"),
        ([*ORDER[:7], "L-1", "O-6"], "stuck behind"),
    ],
)
def test_what_is_broken(ids: list[str], said: str) -> None:
    assert any(said in line for line in broken(arrivals(ids)))
