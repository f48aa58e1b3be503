"""What each order does, between two frames."""

from __future__ import annotations

from agent.errors import BodycamError, RefusedError
from agent.pipeline import Pipeline
from agent.policy import Breach, Policy
from agent.policy.limits import list_rules
from agent.policy.states import Cause
from agent.runtime.arming import Arming
from agent.runtime.committing import purge
from agent.runtime.duty import Duty
from agent.runtime.orders import Adjust, Arm, Disarm, NewGallery, NewRules, Order, Withdraw
from agent.runtime.surroundings import Surroundings


class Obeying:
    """For the pipeline's thread.

    Args:
        duty: matching, on and off.
        pipeline: what is ordered about.
        arming: holds the rules in force.
        around: see `Surroundings`.
    """

    def __init__(
        self, duty: Duty, pipeline: Pipeline, arming: Arming, around: Surroundings
    ) -> None:
        self._duty = duty
        self._pipeline = pipeline
        self._arming = arming
        self._around = around

    def obey(self, order: Order) -> None:
        """Carry it out.

        Raises:
            DiskError: it cannot be recorded.
        """
        if isinstance(order, Adjust):
            self._pipeline.adjust(order.effort)
        elif isinstance(order, NewGallery):
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
                self._duty.arm(order)
            else:
                self._duty.disarm(order.reason, order.uid, order.cause)
        except RefusedError as error:
            order.answer.settle(error)
        except BodycamError as error:
            order.answer.settle(error)
            raise
        else:
            order.answer.settle()

    def _swap(self, order: NewGallery) -> None:
        duty, gallery, around, ref = self._duty, order.gallery, self._around, order.gallery.ref
        duty.gallery = gallery
        if order.same_list:
            self._pipeline.swap_same_list(gallery)
            return
        if order.under == duty.unchecked:
            duty.unchecked = ""
        try:
            self._pipeline.swap_gallery(gallery)
        except RefusedError as error:
            duty.refused("list", str(error), around.uid)
            duty.disarm("the policy forbids the new list", around.uid, Cause.LIST)
        around.ledger.append(
            "list",
            list=ref.id,
            version=ref.version,
            templates=gallery.templates,
            subjects=gallery.subjects,
            **ref.cited,
        )
        duty.note_threshold()
        around.board.list_in_use(ref.id, ref.version, gallery.templates)
        around.log.info("new watchlist", version=ref.version, templates=gallery.templates)

    def _withdraw(self, order: Withdraw) -> None:
        self._duty.disarm(order.reason, order.uid, Cause.LIST)
        self._duty.gallery = order.gallery
        self._pipeline.swap_gallery(order.gallery)
        self._duty.refused("list", order.reason, order.uid)
        self._around.board.list_in_use(order.gallery.ref.id, order.gallery.ref.version, 0)
        self._around.board.watchlist(order.reason)

    def _take_rules(self, order: NewRules) -> None:
        """What may not go on ends first; then what is revoked is deleted; the rest goes on."""
        before, after = self._arming.book.policy, order.book.policy
        held = self._arming.book
        self._arming.book = order.book
        self._duty.renew()
        if before.sha256() != after.sha256():
            self._note_policy(before, after)
        self._around.board.rules(order.book.trouble)
        activation = self._duty.activation
        keep = f"{activation.id}/" if activation else ""
        for authorisation in sorted(order.revoked):
            fresh = not held.trouble and authorisation not in held.revoked
            purge(authorisation, self._around, keep=keep, fresh=fresh)

    def _note_policy(self, before: Policy, after: Policy) -> None:
        """A list that was held to other rules may not be used before it is held to these."""
        around, duty, digest = self._around, self._duty, after.sha256()
        around.ledger.append("policy", policy=digest, version=after.version)
        around.log.info("policy in force", reason=f"{after.name} version {after.version}")
        around.board.policy(after.name, after.version, test=after.test)
        if duty.unchecked or list_rules(before) != list_rules(after):
            duty.unchecked = digest
            if duty.armed:
                reason = "the policy changed: the list is held to it"
                duty.stop_for(Breach(Cause.POLICY_CHANGED, reason))
