from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from agent.errors import CameraError, DataError, MissingFileError
from agent.runtime.board import Board
from agent.runtime.capture_loop import CaptureLimits, CaptureLoop
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.mailbox import Mailbox
from tests.support.cameras import ScriptedCamera, Step, frame
from tests.support.clocks import FakeClock
from tests.support.logs import KeptLog

FILE = CaptureLimits(
    reconnect=False, reconnect_s=0.01, first_open_s=None, endless=False, real_time=False
)
LIVE = replace(FILE, reconnect=True)


class Rig:
    """A capture loop with all that it touches. The mailbox is live: nobody reads meanwhile."""

    def __init__(
        self, camera: ScriptedCamera, limits: CaptureLimits | None = None, *, wanted: bool = True
    ) -> None:
        limits = limits or (LIVE if camera.live else FILE)
        self.clock = SteppingClock()
        self.mailbox: Mailbox[object] = Mailbox(live=True)
        self.board = Board(self.clock)
        self.states: list[tuple[str, str]] = []
        self.board.listen(lambda now, _: self.states.append((now.state, now.camera)))
        self.log = KeptLog()
        self.beats = Heartbeats(self.clock, {"capture": 5.0})
        self.loop = CaptureLoop(
            camera,
            self.mailbox,
            limits,
            clock=self.clock,
            board=self.board,
            heartbeats=self.beats,
            log=self.log,
            wanted=lambda: wanted,
            pause=self.clock.advance,
        )


class SteppingClock(FakeClock):
    """Time goes on a little whenever somebody looks."""

    def monotonic(self) -> float:  # type: ignore[override]
        self.now += 0.01
        return self.now


def test_a_file_is_read_to_its_end() -> None:
    camera = ScriptedCamera([frame(0), frame(1), None])
    rig = Rig(camera)
    rig.loop.run()
    got = rig.mailbox.take(0)
    assert got.frame is not None
    assert got.frame.seq == 1
    assert rig.loop.read == 2
    assert rig.mailbox.take(0).ended
    assert camera.closed >= 1


@pytest.mark.parametrize("error", [MissingFileError("no such file"), DataError("not a video")])
def test_a_source_that_is_no_camera_ends_the_run(error: Exception) -> None:
    rig = Rig(ScriptedCamera(error, live=True))
    with pytest.raises(type(error)):
        rig.loop.run()
    assert not rig.mailbox.take(0).ended, "an error must not look like the end of a file"


def test_a_live_source_is_tried_until_it_comes_and_says_degraded_meanwhile() -> None:
    lost = CameraError("cannot connect")
    rig = Rig(ScriptedCamera(lost, lost, [frame(0), None], live=True))
    rig.loop.run()
    assert rig.states == [
        ("disarmed", ""), ("degraded", "cannot connect"), ("disarmed", ""),
    ]  # fmt: skip
    assert rig.loop.read == 1
    assert rig.log.messages("warning") == ["camera not reached yet, will try again"]
    assert rig.log.messages("info") == ["there are pictures from the camera again"]


def test_a_lost_live_source_is_opened_again() -> None:
    camera = ScriptedCamera(
        [frame(0), CameraError("unplugged")], CameraError("no such device"), [frame(1), None],
        live=True,
    )  # fmt: skip
    rig = Rig(camera)
    rig.loop.run()
    assert rig.loop.read == 2
    assert camera.opened == 2
    assert rig.states[-1] == ("disarmed", "")
    assert rig.log.messages("warning") == ["camera lost, will try again"] * 2


def test_an_outage_is_one_line_for_each_reason_and_one_when_it_is_over() -> None:
    """For hours, if need be: the reasons may take turns."""
    gone, silent = CameraError("no such device"), CameraError("opened, but it gives no picture")
    camera = ScriptedCamera(
        [frame(0), CameraError("unplugged")], *[gone, silent] * 50, [frame(1), frame(2), None],
        live=True,
    )  # fmt: skip
    rig = Rig(camera)
    rig.loop.run()
    assert rig.loop.read == 3
    assert len(rig.log.messages("warning")) == 3
    assert rig.log.messages("info") == ["there are pictures from the camera again"]
    again = Rig(ScriptedCamera([CameraError("a")], [frame(0), CameraError("a")], live=True))
    again.loop.run()
    assert len(again.log.messages("warning")) == 2, "the next outage is told again"


def test_a_camera_that_can_be_opened_and_gives_no_picture_is_not_well() -> None:
    mute = [CameraError("silent for too long")]
    rig = Rig(ScriptedCamera([frame(0), *mute], *[list(mute) for _ in range(6)], [frame(1), None],
                             live=True))  # fmt: skip
    began = rig.clock.now
    rig.loop.run()
    assert rig.states == [
        ("disarmed", ""), ("degraded", "silent for too long"), ("disarmed", ""),
    ]  # fmt: skip
    assert len(rig.log.messages("warning")) == 1
    assert rig.clock.now - began > 0.01 * (2**7 - 1), "tried more and more seldom"


def test_while_nobody_may_look_a_camera_is_well_again_with_the_first_frame_passed_over() -> None:
    rig = Rig(ScriptedCamera([CameraError("gone")], [frame(0), None], live=True), wanted=False)
    rig.loop.run()
    assert rig.states[-1] == ("disarmed", "")


def test_an_endless_stream_is_opened_again_after_its_end() -> None:
    limits = replace(LIVE, endless=True)
    third: list[Step] = []
    rig = Rig(ScriptedCamera([frame(0), None], [frame(1), None], third, live=True), limits)
    third += [rig.loop.stop, frame(2)]
    rig.loop.run()
    assert rig.loop.read == 3


@pytest.mark.parametrize("limits", [LIVE, FILE])
def test_a_loop_that_waits_for_a_silent_camera_stops_at_once_and_without_complaint(
    limits: CaptureLimits,
) -> None:
    camera = ScriptedCamera(live=True)
    camera._opens = [[frame(0), camera.wait]]
    rig = Rig(camera, limits)
    threading.Timer(0, rig.loop.stop).start()
    rig.loop.run()
    assert camera.closed
    assert rig.log.lines == []
    assert rig.states == [("disarmed", "")]


def test_a_camera_that_is_being_opened_is_given_up_when_the_loop_stops() -> None:
    class Mute(ScriptedCamera):
        def open(self) -> None:
            rig.loop.stop()
            self.wait()

    rig = Rig(Mute(live=True))
    rig.loop.run()
    assert rig.log.lines == []


@pytest.mark.parametrize("patience", [0.0, 0.05])
def test_a_camera_never_reached_in_time_is_an_error(patience: float) -> None:
    limits = replace(LIVE, first_open_s=patience, endless=True)
    rig = Rig(ScriptedCamera(*[CameraError("nobody there")] * 50, live=True), limits)
    with pytest.raises(CameraError, match="nobody there"):
        rig.loop.run()


def test_patience_is_for_the_first_time_only() -> None:
    limits = replace(LIVE, first_open_s=0.0)
    camera = ScriptedCamera(
        [CameraError("gone")], *[CameraError("still gone")] * 5, [frame(0), None], live=True
    )
    rig = Rig(camera, limits)
    rig.loop.run()
    assert rig.loop.read == 1


def test_a_file_that_breaks_is_not_tried_again() -> None:
    rig = Rig(ScriptedCamera([frame(0), CameraError("input/output error")]))
    with pytest.raises(CameraError):
        rig.loop.run()


def test_while_nobody_may_look_no_frame_is_handed_over() -> None:
    camera = ScriptedCamera([frame(0), frame(1), None])
    rig = Rig(camera, wanted=False)
    rig.loop.run()
    assert camera.skipped == 2, "no picture is made of what nobody may see"
    assert rig.loop.unwatched == 2
    got = rig.mailbox.take(0)
    assert got.frame is None
    assert got.ended


def test_a_file_in_real_time_takes_as_long_as_it_lasts() -> None:
    limits = replace(FILE, real_time=True)
    rig = Rig(ScriptedCamera([frame(0, 10.0), frame(1, 10.5), frame(2, 11.0), None]), limits)
    began = rig.clock.now
    rig.loop.run()
    assert rig.clock.now - began == pytest.approx(1.0, abs=0.2)


def test_frames_that_the_camera_skipped_are_counted_by_their_numbers() -> None:
    rig = Rig(ScriptedCamera([frame(0), frame(3), frame(4), None]))
    rig.loop.run()
    assert (rig.loop.read, rig.loop.passed_by) == (3, 2)
