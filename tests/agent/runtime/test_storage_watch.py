"""A full disk: said, shown, and in the end disarmed for."""

from __future__ import annotations

from agent.runtime.board import Board
from agent.runtime.storage_watch import StorageWatch
from tests.support.clocks import FakeClock
from tests.support.logs import KeptLog


def a_watch() -> tuple[StorageWatch, Board, list[str]]:
    board, reasons = Board(FakeClock()), []
    board.armed("patrol")
    return StorageWatch(board, KeptLog(), reasons.append), board, reasons


def test_while_the_reserve_lasts_the_device_is_degraded_and_stays_armed():
    watch, board, reasons = a_watch()
    watch.spending("the disk is full")

    assert (board.condition.state, board.condition.reason) == (
        "degraded",
        "armed; the disk is full",
    )
    assert reasons == []


def test_used_up_it_disarms():
    watch, _, reasons = a_watch()
    watch.exhausted("reserve used up")
    assert reasons == ["reserve used up"]


def test_with_space_again_it_is_healthy():
    watch, board, _ = a_watch()
    watch.spending("the disk is full")
    watch.restored()
    assert (board.condition.state, board.condition.reason) == ("armed", "patrol")
