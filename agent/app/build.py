"""The running agent, wired together."""

from __future__ import annotations

import os
from contextlib import ExitStack

from agent.adapters import state_dir
from agent.adapters.control_socket import ControlServer
from agent.adapters.memory import rss_peak_mb
from agent.adapters.notify import ServiceNotifier
from agent.app.context import Context
from agent.app.following import unlocking
from agent.app.ground import ground
from agent.app.hardware import outside
from agent.app.matching import RunOptions, matching
from agent.app.sending import sending
from agent.app.source import camera_for
from agent.app.vitals import health_reporter
from agent.runtime.agent import Agent, Parts
from agent.runtime.hardware_watch import HardwareWatch
from agent.runtime.outcome import Outcome
from agent.runtime.supervisor import Supervisor

__all__ = ["RunOptions", "build_agent"]


def build_agent(context: Context, options: RunOptions) -> Agent:
    """Everything that runs; nothing is started yet.

    Raises:
        BodycamError: the state folder is taken, a model does not verify, the list is damaged,
            the source is not one.
    """
    with ExitStack() as undo:
        lock = state_dir.StateLock(context.state_dir)
        state_dir.prepare(context.state_dir)
        if loose := state_dir.open_to_others(context.state_dir):
            context.log.warning(loose)
        lock.acquire()
        undo.callback(lock.release)
        return _wire(context, options, undo)


def _wire(context: Context, options: RunOptions, undo: ExitStack) -> Agent:
    """Everything in the order in which the parts need each other."""
    clock, log = context.clock, context.log
    camera = camera_for(context.config, clock)
    base = ground(context, undo)
    around_us = outside(base.config, clock, base.heartbeats, log)
    sent = sending(base, lambda: health.soon())  # noqa: PLW0108 -- made below
    match = matching(base, sent, around_us, camera, options)
    health = health_reporter(
        context, base.config, base.lists, base.storage, board=base.board,
        delivery=sent.delivery, transport=sent.transport, session=base.session, sync=base.sync,
        undo=undo, hardware=around_us.hardware, governing=match.governing, monitor=base.monitor,
        report=lambda: agent.report(),  # noqa: PLW0108 -- made below
    )  # fmt: skip
    watch = HardwareWatch(around_us.hardware, around_us.indicator, log)
    sent.upkeep.jobs += [health.upkeep, base.monitor.upkeep, match.governing.upkeep, watch.upkeep]
    outcome = Outcome()
    manager = ServiceNotifier(os.environ, os.getpid())
    models = base.models
    unlock = unlocking(
        base.lists.vault, base.storage.ledger, clock=clock, board=base.board, sync=base.sync,
        rules=base.rules,
    )  # fmt: skip
    agent = Agent(
        Parts(
            clock=clock,
            log=log,
            board=base.board,
            heartbeats=base.heartbeats,
            mailbox=base.mailbox,
            outcome=outcome,
            capture=match.capture,
            pipeline=match.pipeline,
            delivery=sent.delivery,
            transport=sent.transport,
            control=_control(context, undo),
            unlock=unlock,
            drill=sent.drill,
            policy=lambda: base.rules.text,
            builder=match.builder,
            sync=base.sync,
            inbound=sent.inbound,
            hardware=around_us.hardware,
            indicator=around_us.indicator,
            places=around_us.loop,
            governing=match.governing,
            anchoring=sent.anchoring,
            supervisor=Supervisor(outcome, base.heartbeats, manager, clock, log),
            manager=manager,
            session=base.session,
            ledger=base.storage.ledger,
            models=(models.detector.identity, models.embedder.identity),
            first_orders=match.first_orders,
            drain_s=base.config.delivery.drain_s if base.config.mqtt.host else 0.0,
            rss_peak_mb=rss_peak_mb,
            release=undo.pop_all().close,
        )
    )
    return agent


def _control(context: Context, undo: ExitStack) -> ControlServer:
    server = ControlServer(context.control_path, os.getuid())
    server.open()
    undo.callback(server.close)
    return server
