"""What is called broken when the whole agent meets a hostile broker."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.hostile import Phase, judged

GOOD = {"fps": 30.0, "rss_mb": 170.0}


@pytest.mark.parametrize(
    ("flood", "code", "waiting", "said"),
    [
        ({"fps": 14.0, "rss_mb": 170.0}, 0, 0, "flood: 14.0 frames a second"),
        ({"fps": 30.0, "rss_mb": 200.0}, 0, 0, "flood: 200.0 MB"),
        (GOOD, 70, 0, "the agent ended with 70"),
        (GOOD, 0, 2, "2 events still wait"),
    ],
)
def test_what_is_broken(flood: dict[str, Any], code: int, waiting: int, said: str) -> None:
    assert any(said in line for line in judged({"good": GOOD, "flood": flood}, code, waiting))


def test_as_fast_and_as_small_as_in_good_times_is_as_it_must_be() -> None:
    assert judged({"good": GOOD, "flood": {"fps": 25.0, "rss_mb": 180.0}}, 0, 0) == []


def test_frames_are_counted_in_their_own_time() -> None:
    phase = Phase("good", began=10.0, ended=12.0, rss_mb=1.04, told={"scripts_met": 3})
    figures = phase.figures([(9.9, 0.1), (10.0, 0.1), (11.0, 0.1), (12.0, 0.1)])
    assert figures == {"fps": 1.0, "rss_mb": 1.0, "seconds": 2.0, "scripts_met": 3}
