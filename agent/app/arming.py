"""What arming rests on, put together: rules, circumstances, and what is remembered of alerts."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from agent.adapters.activation_file import ActivationFile
from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.adapters.time_signs import time_signs
from agent.app.context import Context
from agent.delivery import EventWriter, remembered
from agent.messages import new_ulid
from agent.pipeline import decision_rule
from agent.policy import Limits, Policy
from agent.ports import Clock
from agent.ports.places import Places
from agent.runtime.arming import Arming, Workings
from agent.runtime.circumstances import Lookout
from agent.runtime.daily import Daily
from agent.runtime.rules_desk import RulesDesk
from agent.stages.decide import DecisionRule
from agent.stages.threshold import Curve
from agent.values import Wall


def arming(
    context: Context,
    outbox: SqliteOutbox,
    events: EventWriter,
    rules: RulesDesk,
    *,
    limits: Callable[[Policy], Limits],
    rule_for: Callable[[Limits, int], DecisionRule],
    places: Places | None = None,
    fpir_exceeded: Callable[[], str | None] = lambda: None,
) -> Arming:
    """For the pipeline's thread.

    Args:
        context: of the run.
        outbox: remembers cool-downs, and what was told about whom today.
        events: writes such marks.
        rules: in force at the start.
        limits: a policy combined with the local configuration.
        rule_for: decision rule for a list of so many templates.
        places: a receiver of positions; None without one.
        fpir_exceeded: why the monitor of false alerts forbids matching; None: it does not.
    """
    clock: Clock = context.clock
    workings = Workings(
        limits=limits,
        rule_for=rule_for,
        marks=partial(remembered, events, outbox.cooldowns),
        here=Lookout(clock, time_signs, places, fpir_exceeded).here,
        daily=Daily(events.told, outbox.cooldowns, clock),
        kept=ActivationFile(context.state_dir / "activation.json"),
        clock=clock,
        new_id=new_id,
    )
    return Arming(workings, rules.book)


def by_curve(curve: Curve) -> Callable[[Limits, int], DecisionRule]:
    """The decision rule that the measured curve of the embedder in use gives."""
    return lambda limits, templates: decision_rule(limits, curve, templates)


def new_id(wall: Wall) -> str:
    """A ULID."""
    return new_ulid(wall_s=wall, randomness=os.urandom(10))
