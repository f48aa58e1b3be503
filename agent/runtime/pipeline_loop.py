"""The pipeline thread: applies orders between frames, takes frames, commits alerts.

Order of things, each of which must not change:

1. an alert is on disk, with its cool-down mark, before anybody says so: delivery, audit and log
   hear of it afterwards;
2. an arming is in the audit log before the first frame is looked at; a disarming takes effect
   before it is recorded;
3. a frame that waits when the device is disarmed is let go unseen;
4. before each frame it is asked whether anything forbids to look at it.
"""

from __future__ import annotations

import threading

from agent.errors import BodycamError, RefusedError
from agent.pipeline import Activation, Pipeline
from agent.policy import Breach, Policy
from agent.policy.limits import list_rules
from agent.policy.states import Cause
from agent.ports import Gallery
from agent.runtime.arming import Arming
from agent.runtime.committing import commit, purge
from agent.runtime.mailbox import Mailbox
from agent.runtime.orders import Adjust, Arm, Disarm, NewGallery, NewRules, Order, Withdraw
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
        self._activation: Activation | None = None
        self._order: Arm | None = None
        self._subjects_before = 0
        self._last: tuple[Monotonic, Monotonic] | None = None
        self._armed = threading.Event()
        self._why_stopped = "end of file"
        self._unchecked = ""
        self.gallery = gallery
        self.tally = Tally()

    @property
    def armed(self) -> bool:
        """Whether frames are wanted; for any thread."""
        return self._armed.is_set()

    def stop(self, why: str) -> None:
        """End soon; the frame that waits is let go."""
        self._why_stopped = why
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
            self._disarm(self._why_stopped, self._around.uid, Cause.SOURCE_ENDED)
            self._pipeline.close()
            self._around.monitor.close()
            self._around.heartbeats.done(STAGE)

    def turn(self, timeout_s: float) -> bool:
        """Orders, then a frame if there is one; False when no frame will ever come again."""
        self._around.heartbeats.beat(STAGE)
        got = self._mailbox.take(timeout_s)
        for order in got.messages:
            self._obey(order)
        self._heed_monitor()
        self._heed_effort()
        if self.armed:
            self._check()
        if got.frame is not None:
            self._take(got.frame)
        else:
            self._expire()
        if self.armed:
            self._arming.alive()
        return not got.ended

    def _heed_monitor(self) -> None:
        """Too many false alerts: nothing is matched until the agency resets the monitor."""
        stop = self._around.monitor.exceeded()
        self._around.board.monitor(stop or "")
        if stop and self.armed:
            self._disarm(stop, self._around.uid, Cause.FPIR)

    def _heed_effort(self) -> None:
        """Too hot, or the battery too low, for as much as the policy asks: nothing is matched."""
        problem = self._around.board.condition.effort
        if problem and self.armed:
            self._disarm(problem, self._around.uid, Cause.POWER)

    def _obey(self, order: Order) -> None:
        if isinstance(order, Adjust):
            self._pipeline.adjust(order.effort)
            return
        if isinstance(order, NewGallery):
            self._swap(order)
        elif isinstance(order, Withdraw):
            self._withdraw(order)
        elif isinstance(order, NewRules):
            self._take_rules(order)
        else:
            self._answer(order)

    def _answer(self, order: Arm | Disarm) -> None:
        try:
            if isinstance(order, Arm):
                self._arm(order)
            else:
                self._disarm(order.reason, order.uid, order.cause)
        except RefusedError as error:
            order.answer.settle(error)
        except BodycamError as error:
            order.answer.settle(error)
            raise
        else:
            order.answer.settle()

    def _arm(self, order: Arm) -> None:
        self._disarm("armed anew", order.uid, Cause.ARMED_ANEW)
        self._around.board.arming(order.reason)
        try:
            self._require_list()
            activation = self._arming.begin(order, self.gallery.ref.id)
            self._pipeline.arm(activation)
        except RefusedError as error:
            self._arming.end()
            self._refused("arm", str(error), order.uid, order.authorisation)
            self._around.board.refused(_one_line(str(error)))
            raise
        self._activation, self._order = activation, order
        self._subjects_before = self.tally.subjects
        self._record_arming(activation, order)
        self._arming.armed()
        now = self._around.clock.monotonic()
        self.tally.armed(now=now)
        self._note_threshold()
        self._armed.set()
        self._around.board.armed(order.reason)
        self._around.log.info("armed", reason=order.reason, uid=order.uid)

    def _require_list(self) -> None:
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
        if self._unchecked:
            problem = problem or "the list is being held to the new policy; try again in a moment"
        if problem:
            raise RefusedError(problem)

    def _record_arming(self, activation: Activation, order: Arm) -> None:
        around, ref = self._around, self.gallery.ref
        if order.resumes:
            around.ledger.append("gap", events=0, reason="the agent was interrupted while armed")
        around.ledger.append(
            "arm",
            activation=activation.id,
            authorisation=order.authorisation,
            reason=order.reason,
            uid=order.uid,
            policy=self._arming.book.policy.sha256(),
            list=ref.id,
            version=ref.version,
        )

    def _check(self) -> None:
        """Whatever forbids matching ends it before the next frame is looked at."""
        found = self._arming.breach(self.gallery.ref.id)
        if found is not None:
            self._stop_for(found)

    def _stop_for(self, found: Breach) -> None:
        authorisation = self._order.authorisation if self._order else ""
        uid = self._around.uid
        self._disarm(found.reason, uid, found.cause)
        self._refused("go-on", found.reason, uid, authorisation)

    def _take_rules(self, order: NewRules) -> None:
        """What may not go on ends first; then what is revoked is deleted; the rest goes on."""
        before, after = self._arming.book.policy, order.book.policy
        known = self._arming.book.revoked
        self._arming.book = order.book
        if self.armed:
            self._renew()
        if before.sha256() != after.sha256():
            self._note_policy(before, after)
        self._around.board.rules(order.book.trouble)
        keep = f"{self._activation.id}/" if self._activation else ""
        for authorisation in sorted(order.revoked):
            purge(authorisation, self._around, keep=keep, fresh=authorisation not in known)

    def _renew(self) -> None:
        """The same activation under the new rules, or none."""
        renewed = self._arming.renew(self.gallery.ref.id)
        if isinstance(renewed, Breach):
            self._stop_for(renewed)
        elif renewed is not None:
            try:
                self._pipeline.arm(renewed)
            except RefusedError as error:
                self._stop_for(Breach(Cause.POLICY_CHANGED, _one_line(str(error))))
            else:
                self._activation = renewed
                self._note_threshold()

    def _note_policy(self, before: Policy, after: Policy) -> None:
        """A list that was held to other rules may not be used before it is held to these."""
        around, digest = self._around, after.sha256()
        around.ledger.append("policy", policy=digest, version=after.version)
        around.log.info("policy in force", reason=f"{after.name} version {after.version}")
        around.board.policy(after.name, after.version, test=after.test)
        if self._unchecked or list_rules(before) != list_rules(after):
            self._unchecked = digest
            if self.armed:
                reason = "the policy changed: the list is held to it"
                self._stop_for(Breach(Cause.POLICY_CHANGED, reason))

    def _disarm(self, reason: str, uid: int, cause: Cause) -> None:
        """Stop looking. What was armed is wiped first, and recorded then."""
        self._armed.clear()
        self._pipeline.disarm()
        self._last = None
        self.tally.disarmed(now=self._around.clock.monotonic())
        activation, self._activation, self._order = self._activation, None, None
        if activation is None:
            return
        self._arming.end()
        subjects = self._around.coarse(self.tally.subjects - self._subjects_before)
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

    def _swap(self, order: NewGallery) -> None:
        gallery, around, ref = order.gallery, self._around, order.gallery.ref
        self.gallery = gallery
        if order.same_list:
            self._pipeline.swap_same_list(gallery)
            return
        if order.under == self._unchecked:
            self._unchecked = ""
        try:
            self._pipeline.swap_gallery(gallery)
        except RefusedError as error:
            self._refused("list", str(error), around.uid, "")
            self._disarm("the policy forbids the new list", around.uid, Cause.LIST)
        around.ledger.append(
            "list",
            list=ref.id,
            version=ref.version,
            templates=gallery.templates,
            subjects=gallery.subjects,
        )
        self._note_threshold()
        around.board.list_in_use(ref.id, ref.version, gallery.templates)
        around.log.info("new watchlist", version=ref.version, templates=gallery.templates)

    def _withdraw(self, order: Withdraw) -> None:
        self._disarm(order.reason, order.uid, Cause.LIST)
        self.gallery = order.gallery
        self._pipeline.swap_gallery(order.gallery)
        self._refused("list", order.reason, order.uid, "")
        self._around.board.list_in_use(order.gallery.ref.id, order.gallery.ref.version, 0)
        self._around.board.watchlist(order.reason)

    def _refused(self, what: str, why: str, uid: int, authorisation: str) -> None:
        fields: dict[str, str | int] = {"what": what, "reason": _one_line(why), "uid": uid}
        if authorisation:
            fields["authorisation"] = authorisation
        self._around.ledger.append("refusal", **fields)
        self._around.log.warning("refused", reason=why)

    def _note_threshold(self) -> None:
        rule = self._pipeline.rule
        if rule is not None:
            self.tally.threshold = rule.threshold

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


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
