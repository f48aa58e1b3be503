from __future__ import annotations

from pathlib import Path

import pytest

from agent.hub.near_duplicates import Found, Pair
from agent.hub.photo_judge import Why
from agent.hub.photographs import Accepted, Enrolment, Rejected
from agent.hub.telling import run_json, run_lines

START = "photographs: 1 of 2 accepted"


def enrolment(embedded: int, seconds: float) -> Enrolment:
    accepted = (Accepted("a.jpg", "E-1", "0" * 64),)
    rejected = (Rejected("b.jpg", "E-2", (Why("pose", "pose (1)"), Why("blurred", "blurred (2)"))),)
    return Enrolment(None, "recipe", accepted, rejected, ("E-2",), embedded, seconds)


@pytest.mark.parametrize(
    ("embedded", "seconds", "says"),
    [
        (0, 1.0, f"{START}, all known from before"),
        (2, 4.0, f"{START}; 2 made now at 0.5 a second"),
        (
            1000,
            20.0,
            f"{START}; 1000 made now at 50.0 a second (300,000 would take 1 h 40 min here)",
        ),
    ],
)
def test_the_speed_is_told_where_it_says_something(
    embedded: int, seconds: float, says: str
) -> None:
    assert run_lines(enrolment(embedded, seconds), None, Path("reports"))[0] == says


def test_every_reason_is_in_the_report_and_the_first_one_counts() -> None:
    told = run_json(enrolment(2, 1.0), None)["photographs"]
    assert told["rejected_by_reason"] == {"pose": 1}
    assert [row["reason"] for row in told["rejected"]] == ["pose", "blurred"]
    lines = run_lines(enrolment(2, 1.0), None, Path("reports"))
    assert lines[1] == "NOT on the list: 1 photographs (1 pose); reports/rejected.csv"
    assert lines[2].startswith("  ")
    assert "(entry E-2): " in lines[2]
    assert lines[3].endswith("without one good photograph: E-2")


def test_many_near_duplicates_are_counted_and_the_most_alike_named() -> None:
    pairs = tuple(Pair(f"E-{at}", f"E-{at + 100}", 0.9) for at in range(12))
    lines = run_lines(None, Found(pairs, 40_000, 0.51), Path("reports"))
    assert lines[0].startswith("near-duplicates: 40000 pairs of entries of different subjects")
    assert lines[1] == "  E-0 and E-100 (0.90)"
    assert lines[-1] == "  and 39990 more, see reports/photographs.json"
