from __future__ import annotations

import pytest

from agent.policy.states import Cause, Mode
from agent.runtime.board import Board, Condition
from agent.values import Wall
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


@pytest.mark.parametrize("cause", [Cause.OPERATOR, Cause.COMMAND])
def test_what_a_person_wrote_is_for_the_operator_alone(cause: Cause) -> None:
    """A reason may name somebody, and the state goes over a broker in the clear."""
    board = Board(FakeClock())
    seen: list[Condition] = []
    board.listen(lambda condition, _: seen.append(condition))
    wrote = "looking for Hans Muster"
    board.disarmed(wrote, cause)  # though nothing was armed
    board.arming(wrote)
    board.refused(f"authorisation {wrote!r}: not loaded")
    board.arming(wrote)
    board.armed(wrote)
    board.camera("gone")
    board.disarmed(wrote, cause)
    assert sum("Hans" in one.reason for one in seen) >= 4
    assert not any("Hans" in one.told_reason for one in seen)
    assert seen[-1].told_reason == "disarmed; gone"


def test_a_refusal_stands_beside_the_reason_until_it_is_armed() -> None:
    board = Board(clock := FakeClock())
    board.disarmed("end of shift", Cause.OPERATOR)
    before = board.condition
    board.arming("patrol")
    board.refused("authorisation A-1: not loaded")
    now = board.condition
    assert (now.mode, now.why, now.cause) == (Mode.DISARMED, "end of shift", before.cause)
    assert (now.refusal, now.refused_at) == ("authorisation A-1: not loaded", clock.wall())
    board.arming("patrol")
    board.armed("patrol", "A-1", Wall(9.0))
    now = board.condition
    assert (now.refusal, now.refused_at) == ("", None)
    assert (now.authorisation, now.ends) == ("A-1", 9.0)
    board.renewed("A-1", Wall(11.0))
    assert board.condition.ends == 11.0
    board.disarmed("end of shift", Cause.OPERATOR)
    assert (board.condition.authorisation, board.condition.ends) == ("", None)


def test_why_it_disarmed_by_itself_is_told() -> None:
    board = Board(FakeClock())
    board.arming("patrol")
    board.armed("patrol")
    board.disarmed("authorisation A-1: is over", Cause.AUTHORISATION_OVER)
    assert board.condition.told_reason == "authorisation A-1: is over"
