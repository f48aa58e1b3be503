from __future__ import annotations

import os
import threading

import pytest

from agent.errors import DiskError
from agent.runtime.board import Board
from agent.runtime.builder_loop import NICE
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.sync_loop import NUDGE_EVERY_S, SyncLoop, Timetable, in_words
from agent.values import Monotonic
from agent.values.sync import (
    Fault,
    Installed,
    NoChange,
    Refused,
    SyncReport,
    Unreachable,
    Withdrawn,
)
from tests.support.clocks import FakeClock
from tests.support.logs import KeptLog

SAME = NoChange("L-1", 3)
ATTACK = Refused(Fault.TAMPERED, "x.shard is not the file that was signed for")
OFFLINE = Unreachable("files.example: unknown host")


class Rig:
    """A loop whose looks come to what `next` says; time stands still."""

    def __init__(self, chance: float = 0.5) -> None:
        self.clock, self.log = FakeClock(), KeptLog()
        self.board = Board(self.clock)
        self.beats = Heartbeats(self.clock, {"sync": 5.0})
        self.next: object = SAME
        self.looks: list[float] = []
        self.during = lambda wait: None
        start = self.clock.monotonic()
        self.loop = SyncLoop(
            self._look,
            Timetable(900.0, 0.2, lambda: chance, now=start),
            clock=self.clock,
            board=self.board,
            heartbeats=self.beats,
            log=self.log,
        )

    def _look(self, wait) -> SyncReport:
        self.looks.append(self.clock.now)
        self.during(wait)
        if isinstance(self.next, Exception):
            raise self.next
        return SyncReport(self.next, 1234)

    def run_for(self, seconds: float, step_s: float = 0.5) -> int:
        """How many looks there were."""
        before = len(self.looks)
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.clock.advance(step_s)
            self.loop.turn()
        return len(self.looks) - before


def test_the_first_look_is_soon_and_the_next_after_the_pause():
    rig = Rig()
    assert rig.run_for(5) == 1
    assert rig.run_for(890) == 0
    assert rig.run_for(20) == 1


@pytest.mark.parametrize(("chance", "pause"), [(0.0, 720.0), (0.5, 900.0), (1.0, 1080.0)])
def test_the_pause_is_spread_by_chance(chance, pause):
    table = Timetable(900.0, 0.2, lambda: chance, now=Monotonic(0.0))
    assert table.due == 5.0 * chance
    table.begin(now=Monotonic(10.0))
    table.end(SAME, now=Monotonic(11.0))
    assert table.due == 11.0 + pause


def test_a_nudge_brings_a_look_at_once_but_never_two_within_ten_seconds():
    rig = Rig()
    rig.run_for(5)
    rig.run_for(60)
    rig.loop.nudge()
    assert rig.run_for(0.5) == 1
    for _ in range(100):
        rig.loop.nudge()
        rig.run_for(0.5)
    assert len(rig.looks) == 2 + 50 / NUDGE_EVERY_S
    assert all(b - a >= NUDGE_EVERY_S for a, b in zip(rig.looks[1:], rig.looks[2:], strict=False))


def test_a_nudge_during_a_look_is_for_the_next_one():
    rig = Rig()
    rig.during = lambda wait: rig.loop.nudge() if len(rig.looks) == 1 else None
    assert rig.run_for(20) == 2


def test_the_broker_can_only_make_it_look():
    rig = Rig()
    rig.run_for(60)
    rig.loop.heard(b'{"url": "http://evil.example"}')
    assert rig.run_for(1) == 1


def test_out_of_reach_it_tries_again_with_growing_pauses_up_to_the_usual_one():
    rig = Rig(chance=1.0)
    rig.next = OFFLINE
    rig.run_for(4 * 3600, step_s=1.0)
    pauses = [b - a for a, b in zip(rig.looks, rig.looks[1:], strict=False)]
    assert pauses[:5] == [30, 60, 120, 240, 480]
    assert set(pauses[5:]) == {900}


def test_out_of_reach_changes_no_state_and_is_said_once():
    rig = Rig()
    rig.next = OFFLINE
    rig.run_for(3600, step_s=1.0)
    assert rig.board.condition.sync == ""
    assert len(rig.log.lines) == 1


def test_a_wrong_clock_is_looked_at_again_within_seconds_and_told_no_longer_than_it_is_wrong():
    """Though no server is in reach, and was not for hours."""
    rig = Rig()
    rig.next = OFFLINE
    rig.run_for(5000)
    rig.next = Refused(Fault.CLOCK, "the clock is wrong")
    rig.run_for(900)
    assert rig.board.condition.sync == "the clock is wrong"
    assert rig.run_for(60) == 12
    rig.next = OFFLINE
    rig.run_for(5.5)
    assert rig.board.condition.sync == ""


def test_a_wrong_clock_in_between_covers_no_attack_up():
    rig = Rig()
    rig.next = ATTACK
    rig.run_for(5)
    for rig.next in (Refused(Fault.CLOCK, "the clock is wrong"), OFFLINE):
        rig.run_for(1100)
    assert "not the file" in rig.board.condition.sync


def test_a_refused_update_degrades_until_a_good_one():
    rig = Rig()
    rig.next = ATTACK
    rig.run_for(5)
    assert rig.board.condition.state == "degraded"
    assert "list update refused: x.shard" in rig.board.condition.reason
    rig.next = OFFLINE
    rig.run_for(1000)
    assert rig.board.condition.state == "degraded"
    rig.next = Installed("L-1", 4, 10, 12, 3, 1)
    rig.run_for(1000)
    assert rig.board.condition.state == "disarmed"


def test_status_tells_when_it_was_last_well():
    rig = Rig()
    assert rig.loop.status()["last_good"] is None
    rig.run_for(5)
    good = rig.loop.status()
    assert (good["looks"], good["bytes"]) == (1, 1234)
    assert good["last_good"] == good["last_look"]
    assert 890 < good["next_look_s"] <= 900
    rig.next = OFFLINE
    rig.run_for(1000)
    later = rig.loop.status()
    assert later["last_good"] == good["last_good"] < later["last_look"]
    assert later["result"] == OFFLINE.reason


def test_a_full_disk_is_a_condition_not_an_end():
    rig = Rig()
    rig.next = DiskError("audit: no space left; nothing was recorded")
    rig.run_for(5)
    assert "no space left" in rig.board.condition.reason


def test_it_beats_while_it_downloads_and_stops_in_the_middle():
    rig = Rig()
    answers = []

    def download(wait) -> None:
        rig.clock.advance(100)
        answers.append(wait(0))
        assert rig.beats.late() == ()
        rig.loop.stop()
        answers.append(wait(60))

    rig.during = download
    rig.next = Unreachable("stopped")
    rig.run_for(5)
    assert answers == [False, True]
    assert rig.loop.status()["looks"] == 0


def test_its_thread_gives_way_and_ends_when_told():
    rig = Rig()
    nice = []

    def note(wait) -> None:
        nice.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    rig.during = note
    rig.clock.advance(10)
    thread = threading.Thread(target=rig.loop.run)
    thread.start()
    while not nice:
        thread.join(0.01)
    rig.loop.stop()
    thread.join(5)
    assert not thread.is_alive()
    usual = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert nice[0] == min(19, usual + NICE)


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (SAME, "L-1 v3 is the newest"),
        (Installed("L-1", 4, 10, 12, 3, 1), "L-1 v4: 10 entries, 1 of 3 shards fetched"),
        (Withdrawn("L-1"), "L-1 was withdrawn by the agency, and destroyed here"),
        (OFFLINE, "files.example: unknown host"),
        (Refused(Fault.REMOVED, "removed"), "removed"),
        (ATTACK, "list update refused: x.shard is not the file that was signed for"),
    ],
)
def test_every_outcome_has_a_line(result, line):
    assert in_words(result) == line
