"""Arming: who may, under which activation, and what of it survives a crash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from agent.errors import DiskError
from agent.pipeline import Activation
from agent.policy import Limits
from agent.ports import Clock
from agent.ports.activations import Activations
from agent.runtime.orders import Arm
from agent.stages.decide import DecisionRule
from agent.values import Monotonic, Wall
from agent.values.activation import KeptActivation

RESUME_S = 60.0
"""A crashed activation resumes within this time of its last sign of life (DESIGN section 7)."""
ALIVE_EVERY_S = 2.0


class Arming:
    """Makes activations, and remembers the one in force.

    Args:
        limits: policy and local configuration combined.
        rule_for: decision rule for a list of so many templates.
        marks: cool-down marks set under an activation: subject to (alert id, end).
        kept: where the activation in force is remembered.
        clock: for ids and signs of life.
        new_id: a ULID for a wall-clock time.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        rule_for: Callable[[int], DecisionRule],
        marks: Callable[[str], Mapping[str, tuple[str, Monotonic]]],
        kept: Activations,
        clock: Clock,
        new_id: Callable[[Wall], str],
    ) -> None:
        self._limits = limits
        self._rule_for = rule_for
        self._marks = marks
        self._kept = kept
        self._clock = clock
        self._new_id = new_id
        self._now: KeptActivation | None = None

    @property
    def cooldown_s(self) -> float:
        return self._limits.cooldown_s

    def interrupted(self) -> KeptActivation | None:
        """The activation that a crash of this boot, moments ago, cut short; None without one."""
        kept = self._kept.load()
        if kept is None or not kept.boot or kept.boot != self._kept.boot:
            return None
        silent_s = self._clock.monotonic() - kept.alive_at
        return kept if 0 <= silent_s <= RESUME_S else None

    def begin(self, order: Arm) -> Activation:
        """The activation for an order; the interrupted one when the order resumes it."""
        activation_id = order.resumes or self._new_id(self._clock.wall())
        self._now = KeptActivation(
            activation_id,
            order.reason,
            order.authorisation,
            order.uid,
            self._kept.boot,
            self._clock.monotonic(),
        )
        return Activation(
            id=activation_id,
            rule_for=self._rule_for,
            cooldown_s=self._limits.cooldown_s,
            test=self._limits.test,
            remembered=self._marks(activation_id),
            evidence=self._limits.evidence,
        )

    def armed(self) -> None:
        """The pipeline took the activation: remember it."""
        if self._now is not None:
            self._remember(self._now)

    def alive(self) -> None:
        """A sign of life, written down every `ALIVE_EVERY_S`."""
        now = self._clock.monotonic()
        if self._now is not None and now - self._now.alive_at >= ALIVE_EVERY_S:
            self._now = replace(self._now, alive_at=now)
            self._remember(self._now)

    def _remember(self, now: KeptActivation) -> None:
        """On a full disk this arming does not outlive a crash, and goes on until there is one."""
        with suppress(DiskError):
            self._kept.save(now)

    def end(self) -> KeptActivation | None:
        """The device is disarmed in good order: nothing is left to resume."""
        ended, self._now = self._now, None
        self._kept.clear()
        return ended
