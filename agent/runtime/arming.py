"""Arming: who may, under which activation, what ends it, and what of it survives a crash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from agent.errors import DiskError
from agent.pipeline import Activation
from agent.policy import Breach, Circumstances, Limits, Permit, Policy, Rulebook
from agent.policy.rulebook import breach, entry_counts, permit, renewed
from agent.policy.trusted_time import why_moved
from agent.ports import Clock
from agent.ports.activations import Activations
from agent.runtime.daily import Daily
from agent.runtime.orders import Arm
from agent.stages.decide import DecisionRule
from agent.values import EntryRef, Monotonic, Wall
from agent.values.activation import KeptActivation

RESUME_S = 60.0
"""A crashed activation resumes within this time of its last sign of life (DESIGN section 7)."""
ALIVE_EVERY_S = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Workings:
    """What activations are made of.

    Attributes:
        limits: a policy combined with the local configuration.
        rule_for: decision rule under limits for a list of so many templates.
        marks: cool-down marks set under an activation: subject to (alert id, end).
        here: what is so now, while a list is in service.
        daily: counts events by subject and day.
        kept: where the activation in force is remembered.
        clock: for ids and signs of life.
        new_id: a ULID for a wall-clock time.
    """

    limits: Callable[[Policy], Limits]
    rule_for: Callable[[Limits, int], DecisionRule]
    marks: Callable[[str], Mapping[str, tuple[str, Monotonic]]]
    here: Callable[[str], Circumstances]
    daily: Daily
    kept: Activations
    clock: Clock
    new_id: Callable[[Wall], str]


class Arming:
    """Makes activations, and remembers the one in force. For the pipeline's thread.

    Args:
        workings: see `Workings`.
        book: the rules at the start.

    Attributes:
        book: the rules in force.
    """

    def __init__(self, workings: Workings, book: Rulebook) -> None:
        self._with = workings
        self.book = book
        self._permit: Permit | None = None
        self._now: KeptActivation | None = None

    @property
    def cooldown_s(self) -> float:
        return self._with.limits(self.book.policy).cooldown_s

    @property
    def daily(self) -> Daily:
        return self._with.daily

    @property
    def until(self) -> Wall | None:
        """End of the authorisation in force; None: never, or nothing is armed."""
        return None if self._permit is None else self._permit.grant.ends

    def interrupted(self) -> KeptActivation | None:
        """The activation that a crash of this boot, moments ago, cut short; None without one, or
        when the clock was moved meanwhile.
        """
        kept, clock = self._with.kept.load(), self._with.clock
        if kept is None or not kept.boot or kept.boot != self._with.kept.boot:
            return None
        wall, now = clock.wall(), clock.monotonic()
        if why_moved((kept.alive_wall, kept.alive_at), wall=wall, now=now):
            return None
        return kept if 0 <= now - kept.alive_at <= RESUME_S else None

    def begin(self, order: Arm, list_id: str) -> Activation:
        """The activation for an order; the interrupted one when the order resumes it.

        Raises:
            RefusedError: the rules do not permit it.
        """
        self._permit = permit(self.book, order.authorisation, self._with.here(list_id))
        clock = self._with.clock
        activation_id = order.resumes or self._with.new_id(clock.wall())
        self._now = KeptActivation(
            activation_id,
            order.reason,
            order.authorisation,
            order.uid,
            self._with.kept.boot,
            clock.monotonic(),
            clock.wall(),
        )
        return self._activation(activation_id, order.authorisation)

    def breach(self, list_id: str) -> Breach | None:
        """Why the activation in force may not go on now; None when it may."""
        if self._permit is None:
            return None
        return breach(self.book, self._permit, self._with.here(list_id))

    def renew(self, list_id: str) -> Activation | Breach | None:
        """The activation in force under `book`, which has just changed; None when there is none."""
        if self._permit is None or self._now is None:
            return None
        found = renewed(self.book, self._permit, self._with.here(list_id))
        if isinstance(found, Breach):
            return found
        self._permit = found
        return self._activation(self._now.id, self._now.authorisation)

    def armed(self) -> None:
        """The pipeline took the activation: remember it."""
        if self._now is not None:
            self._remember(self._now)

    def alive(self) -> None:
        """A sign of life, written down every `ALIVE_EVERY_S`."""
        clock = self._with.clock
        now = clock.monotonic()
        if self._now is not None and now - self._now.alive_at >= ALIVE_EVERY_S:
            self._now = replace(self._now, alive_at=now, alive_wall=clock.wall())
            self._remember(self._now)

    def end(self) -> KeptActivation | None:
        """The device is disarmed in good order: nothing is left to resume."""
        ended, self._now, self._permit = self._now, None, None
        self._with.kept.clear()
        return ended

    def _activation(self, activation_id: str, authorisation: str) -> Activation:
        limits = self._with.limits(self.book.policy)
        book, daily, clock = self.book, self._with.daily, self._with.clock
        daily.most = limits.alerts_per_day

        def silenced(ref: EntryRef) -> bool:
            counts = entry_counts(book, ref.authorisation, now=clock.wall())
            return not counts or daily.is_full(ref.subject)

        return Activation(
            id=activation_id,
            rule_for=lambda templates: self._with.rule_for(limits, templates),
            cooldown_s=limits.cooldown_s,
            test=limits.test,
            remembered=self._with.marks(activation_id),
            evidence=limits.evidence,
            policy=limits.policy,
            armed_under=authorisation,
            min_face_px=limits.min_face_px,
            silenced=silenced,
        )

    def _remember(self, now: KeptActivation) -> None:
        """On a full disk this arming does not outlive a crash, and goes on until there is one."""
        with suppress(DiskError):
            self._with.kept.save(now)
