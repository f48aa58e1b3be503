from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from agent.adapters.notify import ServiceNotifier
from agent.runtime.board import Board
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.outcome import Cause, Outcome
from agent.runtime.supervisor import Signals, Supervisor
from tests.support.clocks import FakeClock
from tests.support.logs import KeptLog


class Rig:
    """A supervisor that talks to a real notify socket, on a fake clock."""

    def __init__(self, folder: Path, watchdog_s: float = 10.0) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.socket.setblocking(False)
        environ = {
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": str(int(watchdog_s * 1e6)),
        }
        self.clock, self.log, self.outcome = FakeClock(), KeptLog(), Outcome()
        self.beats = Heartbeats(self.clock, {"pipeline": 4.0, "capture": 60.0})
        manager = ServiceNotifier(environ, os.getpid())
        self.supervisor = Supervisor(self.outcome, self.beats, manager, self.clock, self.log)

    def heard(self) -> list[str]:
        got = []
        while True:
            try:
                got.append(self.socket.recv(1000).decode())
            except BlockingIOError:  # noqa: PERF203
                return got

    def live(self, seconds: float, *stages: str) -> None:
        for _ in range(round(seconds / 0.5)):
            for stage in stages:
                self.beats.beat(stage)
            self.supervisor.tick()
            self.clock.advance(0.5)


@pytest.fixture
def rig(tmp_path: Path):
    rig = Rig(tmp_path)
    yield rig
    rig.socket.close()


def test_the_watchdog_is_fed_twice_as_often_as_asked(rig: Rig) -> None:
    rig.live(20.0, "pipeline", "capture")
    pings = rig.heard()
    assert set(pings) == {"WATCHDOG=1"}
    assert 4 <= len(pings) <= 5


def test_pings_stop_when_a_stage_hangs_and_come_back_with_it(rig: Rig) -> None:
    rig.live(6.0, "pipeline", "capture")
    rig.heard()
    rig.live(4.5, "capture")  # the pipeline's silence is still within its limit
    rig.heard()
    rig.live(30.0, "capture")
    assert rig.heard() == []
    assert rig.log.lines == [
        ("error", "a stage does not answer; the watchdog is not fed", {"stage": "pipeline"})
    ]
    rig.live(1.0, "pipeline", "capture")
    assert rig.heard() == ["WATCHDOG=1"]


def test_without_a_watchdog_nothing_is_sent(tmp_path: Path) -> None:
    rig = Rig(tmp_path, watchdog_s=0.0)
    rig.live(20.0, "pipeline")
    assert rig.heard() == []
    rig.socket.close()


def test_the_state_is_told(rig: Rig) -> None:
    board = Board(rig.clock)
    board.listen(rig.supervisor.tell)
    board.arming("patrol")
    board.armed("patrol")
    board.camera("/dev/video0: unplugged")
    assert rig.heard() == [
        "STATUS=disarmed: not armed yet",
        "STATUS=arming: patrol",
        "STATUS=armed: patrol",
        "STATUS=degraded: armed; /dev/video0: unplugged",
    ]


def test_waiting_goes_on_until_done_or_too_late(rig: Rig) -> None:
    asked: list[float] = []

    def done(tick_s: float) -> bool:
        asked.append(tick_s)
        rig.clock.advance(tick_s)
        return len(asked) == 3

    assert rig.supervisor.wait_for(done, 5.0)
    assert len(asked) == 3
    asked.clear()
    assert not rig.supervisor.wait_for(lambda tick: done(tick) and False, 1.0)
    assert sum(asked) == pytest.approx(1.0)
    assert rig.heard() == ["WATCHDOG=1"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_and_a_second_one_at_once(rig: Rig, number: int) -> None:
    before = signal.getsignal(number)
    with Signals() as signals:
        assert not signals.caught()
        os.kill(os.getpid(), number)
        rig.supervisor.watch(signals.caught)
        assert rig.outcome.cause is Cause.SIGNAL
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before
