"""What leaves the device and what its agency says to it, wired together."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from agent.app.arming import new_id
from agent.app.broker import transport_for
from agent.app.checkpoints import anchoring
from agent.app.ground import DELIVERY_STAGE, Ground
from agent.app.vitals import Upkeep, drill
from agent.app.wire import (
    delivery_limits,
    event_writer,
    gap_of,
    inbound,
    listeners,
    state_message,
)
from agent.delivery import DeliveryCore, EventWriter
from agent.policy.states import Cause
from agent.ports import Transport
from agent.runtime.anchoring import Anchoring
from agent.runtime.clock_watch import ClockWatch
from agent.runtime.delivery_loop import DeliveryLoop
from agent.runtime.drill import Drill
from agent.runtime.inbound import Actions, Inbound
from agent.runtime.orders import Arm, Disarm
from agent.runtime.retention import Retention
from agent.runtime.rules_desk import RulesDesk
from agent.values import Monotonic


@dataclass(frozen=True, slots=True, eq=False)
class Sending:
    """The way to the agency and back.

    Attributes:
        events: writes what is sent.
        transport: the broker.
        delivery: from the outbox to it.
        inbound: acts on what the agency says; None where there is none.
        drill: answers `ctl test-alert`.
        anchoring: signs for the audit log.
        upkeep: what the delivery thread does besides.
    """

    events: EventWriter
    transport: Transport
    delivery: DeliveryLoop
    inbound: Inbound | None
    drill: Drill
    anchoring: Anchoring
    upkeep: Upkeep


def sending(ground: Ground, soon: Callable[[], None]) -> Sending:
    """Everything between the outbox and the agency.

    Args:
        ground: what it stands on.
        soon: has the health message sent without delay.
    """
    context, config, vault = ground.context, ground.config, ground.lists.vault
    clock, log, board = context.clock, context.log, ground.board
    storage, rules, mailbox = ground.storage, ground.rules, ground.mailbox
    outbox = storage.outbox
    events = event_writer(config, ground.models, vault, provisioned=context.provisioned)

    def report() -> None:
        transport.publish_state(state_message(ground.session, board))
        soon()

    actions = Actions(
        acknowledged=lambda event: delivery.acknowledged(event),  # noqa: PLW0108 -- made below
        disarm=lambda reason: mailbox.post(Disarm(reason, ground.uid, Cause.COMMAND)),
        arm=lambda reason, authorisation: mailbox.post(Arm(reason, authorisation, ground.uid)),
        sync=lambda: None if ground.sync is None else ground.sync.nudge(),
        report=report,
        unpark=lambda event: delivery.unpark(event),  # noqa: PLW0108 -- made below
        reviewed=ground.monitor.reviewed,
        reset_monitor=ground.monitor.reset,
        authorise=rules.authorise,
        revoke=rules.revoke,
    )
    hears = inbound(
        context, vault, storage.ledger, actions, session=ground.session.number,
        remote_arm=lambda: rules.book.policy.remote_arm,
    )  # fmt: skip
    transport = transport_for(
        config, birth=state_message(ground.session, board), will=ground.session.will(),
        clock=clock, heard_by=listeners(ground.sync, hears), log=log,
    )  # fmt: skip
    limits, upkeep = delivery_limits(config, vault, log), Upkeep(storage, hears)
    trial = drill(
        storage, events, lambda: delivery.notify(), board,  # noqa: PLW0108 -- made below
        policy=lambda: rules.book.policy, confirm=limits.confirm, clock=clock, new_id=new_id,
    )  # fmt: skip
    anchors = anchoring(
        context, config, vault, outbox,
        lambda: delivery.notify(), board=board,  # noqa: PLW0108 -- made below
    )  # fmt: skip
    retention = Retention(
        outbox, partial(_retention_days, rules), ledger=storage.ledger, clock=clock, log=log
    )
    upkeep.jobs += [retention.upkeep, ClockWatch(clock, storage.ledger).upkeep, anchors.upkeep]

    def arrived(event: str, at: Monotonic) -> None:
        trial.delivered(event, at)
        anchors.delivered(event, at)

    delivery = DeliveryLoop(
        outbox,
        transport,
        DeliveryCore(limits, random.random),
        clock,
        partial(ground.heartbeats.beat, DELIVERY_STAGE),
        finish=events.finish,
        make_gap=partial(gap_of, events, clock, new_id, board),
        upkeep=upkeep,
        on_delivered=arrived,
        is_alert=lambda event: not anchors.is_mine(event),
    )
    storage.watch.attach(board, lambda why: mailbox.post(Disarm(why, ground.uid, Cause.STORAGE)))
    return Sending(events, transport, delivery, hears, trial, anchors, upkeep)


def _retention_days(rules: RulesDesk) -> float | None:
    """While the rules cannot be read, nobody knows."""
    book = rules.book
    return None if book.trouble else book.policy.retention_days
