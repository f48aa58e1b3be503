"""Matching, on and off: what arming asks for, what ends it, and what is recorded of both.

1. An arming is in the audit log before the first frame is looked at; a disarming takes effect
   before it is recorded.
2. Whatever forbids matching ends it before the next frame is looked at.
"""

from __future__ import annotations

import threading

from agent.errors import RefusedError
from agent.pipeline import Activation, Pipeline
from agent.policy import Breach
from agent.policy.states import Cause
from agent.ports import Gallery
from agent.runtime.arming import Arming
from agent.runtime.orders import Arm
from agent.runtime.surroundings import Surroundings
from agent.runtime.tally import Tally


class Duty:
    """For the pipeline's thread; `armed` for any.

    Args:
        pipeline: armed and disarmed here.
        gallery: what it searches.
        arming: makes activations.
        around: see `Surroundings`.
        tally: counts of the run.

    Attributes:
        gallery: in use now.
        activation: in force; None while disarmed.
        unchecked: hash of the policy that the list must still be held to; empty: it was.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        gallery: Gallery,
        arming: Arming,
        around: Surroundings,
        tally: Tally,
    ) -> None:
        self._pipeline = pipeline
        self._arming = arming
        self._around = around
        self._tally = tally
        self._order: Arm | None = None
        self._subjects_before = 0
        self._armed = threading.Event()
        self.gallery = gallery
        self.activation: Activation | None = None
        self.unchecked = ""

    @property
    def armed(self) -> bool:
        return self._armed.is_set()

    def arm(self, order: Arm) -> None:
        """Begin to look.

        Raises:
            RefusedError: why it may not be.
            DiskError: it cannot be recorded; nothing is looked at.
        """
        self.disarm("armed anew", order.uid, Cause.ARMED_ANEW)
        self._around.board.arming(order.reason)
        try:
            self._require_fit()
            activation = self._arming.begin(order, self.gallery.ref.id)
            self._pipeline.arm(activation)
        except RefusedError as error:
            self._arming.end()
            self.refused("arm", str(error), order.uid, order.authorisation)
            self._around.board.refused(one_line(str(error)))
            raise
        self.activation, self._order = activation, order
        self._subjects_before = self._tally.subjects
        self._record_arming(activation, order)
        self._arming.armed()
        self._tally.armed(now=self._around.clock.monotonic())
        self.note_threshold()
        self._armed.set()
        self._around.board.armed(order.reason, order.authorisation, self._arming.until)
        self._around.log.info("armed", reason=order.reason, uid=order.uid)

    def disarm(self, reason: str, uid: int, cause: Cause) -> None:
        """Stop looking. What was armed is wiped first, and recorded then."""
        self._armed.clear()
        self._pipeline.disarm()
        self._tally.disarmed(now=self._around.clock.monotonic())
        activation, self.activation, self._order = self.activation, None, None
        if activation is None:
            return
        self._arming.end()
        subjects = self._around.coarse(self._tally.subjects - self._subjects_before)
        self._around.ledger.append(
            "disarm",
            activation=activation.id,
            reason=reason,
            cause=cause.value,
            uid=uid,
            subjects=subjects,
        )
        self._around.board.disarmed(reason, cause)
        self._around.log.info("disarmed", reason=reason, uid=uid)

    def check(self) -> None:
        """To be called before each frame: what forbids to look at it ends the activation."""
        self._heed_monitor()
        self._heed_effort()
        if self.armed:
            found = self._arming.breach(self.gallery.ref.id)
            if found is not None:
                self.stop_for(found)

    def alive(self) -> None:
        """To be called after each frame: an activation in force may be resumed after a crash."""
        if self.armed:
            self._arming.alive()

    def stop_for(self, found: Breach) -> None:
        """Disarm, and say that going on was refused."""
        authorisation = self._order.authorisation if self._order else ""
        uid = self._around.uid
        self.disarm(found.reason, uid, found.cause)
        self.refused("go-on", found.reason, uid, authorisation)

    def renew(self) -> None:
        """The rules changed: the same activation under the new ones, or none."""
        if not self.armed:
            return
        renewed = self._arming.renew(self.gallery.ref.id)
        if isinstance(renewed, Breach):
            self.stop_for(renewed)
        elif renewed is not None:
            try:
                self._pipeline.arm(renewed)
            except RefusedError as error:
                self.stop_for(Breach(Cause.POLICY_CHANGED, one_line(str(error))))
            else:
                self.activation = renewed
                self._around.board.renewed(renewed.armed_under, self._arming.until)
                self.note_threshold()

    def refused(self, what: str, why: str, uid: int, authorisation: str = "") -> None:
        """Recorded and logged."""
        fields: dict[str, str | int] = {"what": what, "reason": one_line(why), "uid": uid}
        if authorisation:
            fields["authorisation"] = authorisation
        self._around.ledger.append("refusal", **fields)
        self._around.log.warning("refused", reason=why)

    def note_threshold(self) -> None:
        """For the report of the run."""
        rule = self._pipeline.rule
        if rule is not None:
            self._tally.threshold = rule.threshold

    def _heed_monitor(self) -> None:
        """Too many false alerts: nothing is matched until the agency resets the monitor."""
        stop = self._around.monitor.exceeded()
        self._around.board.monitor(stop or "")
        if stop and self.armed:
            self.disarm(stop, self._around.uid, Cause.FPIR)

    def _heed_effort(self) -> None:
        """Too hot, or the battery too low, for as much as the policy asks: nothing is matched."""
        problem = self._around.board.condition.effort
        if problem and self.armed:
            self.disarm(problem, self._around.uid, Cause.POWER)

    def _require_fit(self) -> None:
        """There is no arming with a locked store, nor with nobody's list in the place of one that
        may not be used, nor with one that was held to an older policy, nor after too many false
        alerts, nor on too little power.
        """
        now = self._around.board.condition
        problem = (
            self._around.monitor.exceeded()
            or now.locked
            or self._arming.book.trouble
            or now.effort
            or ("" if self.gallery.templates else now.watchlist)
        )
        if self.unchecked:
            problem = problem or "the list is being held to the new policy; try again in a moment"
        if problem:
            raise RefusedError(problem)

    def _record_arming(self, activation: Activation, order: Arm) -> None:
        around, ref = self._around, self.gallery.ref
        if order.resumes:
            around.ledger.append("gap", events=0, reason="the agent was interrupted while armed")
        around.ledger.append(
            "arm",
            **around.networks,
            **ref.cited,
            activation=activation.id,
            authorisation=order.authorisation,
            reason=order.reason,
            uid=order.uid,
            policy=self._arming.book.policy.sha256(),
            list=ref.id,
            version=ref.version,
        )


def one_line(text: str) -> str:
    """At most 200 characters, as a record takes them."""
    return " ".join(text.split())[:200]
