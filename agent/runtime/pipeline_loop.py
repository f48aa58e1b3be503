"""The pipeline thread: orders between frames, then a frame, then alerts onto the disk.

Order of things, each of which must not change:

1. an alert is on disk, with its cool-down mark, before anybody says so: delivery, audit and log
   hear of it afterwards;
2. before each frame it is asked whether anything forbids to look at it (see `duty`);
3. a frame that waits when the device is disarmed is let go unseen.
"""

from __future__ import annotations

from agent.pipeline import Pipeline
from agent.policy.states import Cause
from agent.ports import Gallery
from agent.runtime.arming import Arming
from agent.runtime.committing import commit
from agent.runtime.duty import Duty
from agent.runtime.mailbox import Mailbox
from agent.runtime.obeying import Obeying
from agent.runtime.orders import Order
from agent.runtime.surroundings import Ledger, Surroundings
from agent.runtime.tally import Tally
from agent.stages.wiping import wipe
from agent.values import Alert, Frame, Monotonic

__all__ = ["STAGE", "Ledger", "PipelineLoop", "Surroundings"]

STAGE = "pipeline"
TURN_S = 0.25
"""Longest wait for a frame before tracks are checked for their age."""


class PipelineLoop:
    """Runs the pipeline until no frame will come any more, or `stop`.

    Args:
        pipeline: used from this loop's thread only.
        gallery: what it searches at the start.
        mailbox: frames and orders.
        arming: makes activations.
        around: see `Surroundings`.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        gallery: Gallery,
        mailbox: Mailbox[Order],
        arming: Arming,
        around: Surroundings,
    ) -> None:
        self._pipeline = pipeline
        self._mailbox = mailbox
        self._arming = arming
        self._around = around
        self._last: tuple[Monotonic, Monotonic] | None = None
        self._why_stopped = "end of file", Cause.SOURCE_ENDED
        self.tally = Tally()
        self._duty = Duty(pipeline, gallery, arming, around, self.tally)
        self._orders = Obeying(self._duty, pipeline, arming, around)

    @property
    def armed(self) -> bool:
        """Whether frames are wanted; for any thread."""
        return self._duty.armed

    @property
    def gallery(self) -> Gallery:
        """What is searched now."""
        return self._duty.gallery

    def stop(self, why: str, cause: Cause) -> None:
        """End soon; the frame that waits is let go."""
        self._why_stopped = why, cause
        self._mailbox.close()

    def run(self) -> None:
        """Until the mailbox ends.

        Raises:
            DiskError: an alert or an audit record cannot be written.
        """
        try:
            while self.turn(TURN_S):
                pass
        finally:
            why, cause = self._why_stopped
            self._duty.disarm(why, self._around.uid, cause)
            self._pipeline.close()
            self._around.monitor.close()
            self._around.heartbeats.done(STAGE)

    def turn(self, timeout_s: float) -> bool:
        """Orders, then a frame if there is one; False when no frame will ever come again."""
        self._around.heartbeats.beat(STAGE)
        got = self._mailbox.take(timeout_s)
        for order in got.messages:
            self._orders.obey(order)
        self._duty.check()
        if not self.armed:
            self._last = None
        if got.frame is not None:
            self._take(got.frame)
        else:
            self._expire()
        self._duty.alive()
        return not got.ended

    def _take(self, frame: Frame) -> None:
        if not self.armed:
            self.tally.dropped += 1
            wipe(frame.image)
            return
        began = self._around.clock.monotonic()
        try:
            result = self._pipeline.step(frame)
        finally:
            wipe(frame.image)
        for alert in result.alerts:
            self._commit(alert, frame.at)
        ended = self._around.clock.monotonic()
        self._last = (frame.at, ended)
        self._around.monitor.seen(result.subjects)
        self.tally.step(result, began=began, ended=ended)

    def _expire(self) -> None:
        """No frame came: people who were there must still be forgotten in time."""
        if self._last is not None:
            at, seen = self._last
            passed = self._around.clock.monotonic() - seen
            self._pipeline.expire(Monotonic(at + passed))

    def _commit(self, alert: Alert, at: Monotonic) -> None:
        until = Monotonic(at + self._arming.cooldown_s)
        commit(alert, self._around, until=until, told=self._arming.daily.mark(alert.ref.subject))
        self.tally.raised += 1
