"""A full disk: said, shown, and in the end disarmed for."""

from __future__ import annotations

from agent.runtime.board import Board
from agent.runtime.storage_watch import StorageWatch
from tests.support.clocks import FakeClock
from tests.support.logs import KeptLog


def a_board() -> Board:
    board = Board(FakeClock())
    board.arming("patrol")
    board.armed("patrol")
    return board


def test_while_the_reserve_lasts_the_device_is_degraded_and_stays_armed():
    watch, board, reasons = StorageWatch(KeptLog()), a_board(), []
    watch.attach(board, reasons.append)
    assert board.condition.state == "armed"
    watch.spending("the disk is full")

    condition = board.condition
    assert (condition.state, condition.reason) == ("degraded", "armed; the disk is full")
    assert reasons == []


def test_used_up_it_disarms_and_with_space_again_it_is_healthy():
    log = KeptLog()
    watch, board, reasons = StorageWatch(log), a_board(), []
    watch.attach(board, reasons.append)
    watch.exhausted("reserve used up")
    assert reasons == ["reserve used up"]
    watch.restored()

    assert (board.condition.state, board.condition.reason) == ("armed", "patrol")
    assert reasons == ["reserve used up"]
    assert log.messages("error") == ["disarming"]


def test_what_was_told_before_there_was_a_board_is_passed_on():
    watch, board, reasons = StorageWatch(KeptLog()), a_board(), []
    watch.spending("full")
    watch.exhausted("used up")
    watch.attach(board, reasons.append)

    assert board.condition.storage == "used up"
    assert reasons == ["used up"]
