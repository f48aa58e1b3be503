from __future__ import annotations

import pytest

from agent.policy.states import Mode
from agent.runtime.board import Board, Condition
from tests.support.clocks import FakeClock


@pytest.mark.parametrize(
    ("condition", "state", "reason"),
    [
        (Condition(), "disarmed", "not armed yet"),
        (Condition(mode=Mode.ARMED, why="patrol"), "armed", "patrol"),
        (Condition(mode=Mode.ARMED, why="patrol", camera="gone"), "degraded", "armed; gone"),
        (Condition(watchlist="torn", camera="gone"), "degraded", "disarmed; gone; torn"),
        (Condition(templates=3), "disarmed", "not armed yet"),
        (
            Condition(mode=Mode.ARMED, templates=0),
            "degraded",
            "armed; the watchlist is empty: no alert is possible",
        ),
        (Condition(locked="ctl unlock", templates=0), "locked", "disarmed; ctl unlock"),
    ],
)
def test_the_state_follows_from_the_condition(
    condition: Condition, state: str, reason: str
) -> None:
    assert condition.state == state
    assert condition.reason == reason


def test_listeners_hear_the_present_and_every_change_once() -> None:
    clock = FakeClock(wall=100.0)
    board = Board(clock)
    heard: list[tuple[str, str, float]] = []
    board.listen(lambda condition, since: heard.append((condition.state, condition.reason, since)))
    clock.advance(5)
    board.arming("patrol")
    board.armed("patrol")
    board.armed("patrol")
    clock.advance(5)
    board.camera("no such device")
    board.camera("")
    assert heard == [
        ("disarmed", "not armed yet", 100.0),
        ("arming", "patrol", 105.0),
        ("armed", "patrol", 105.0),
        ("degraded", "armed; no such device", 110.0),
        ("armed", "patrol", 110.0),
    ]


def test_a_new_list_clears_the_trouble_with_the_old_one() -> None:
    board = Board(FakeClock())
    board.watchlist("torn")
    assert board.condition.state == "degraded"
    board.list_in_use("local", 7, 3)
    assert board.condition.state == "disarmed"
    assert (board.condition.list_id, board.condition.list_version) == ("local", 7)
