"""The running agent, wired together."""

from __future__ import annotations

import os
import random
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from agent import __version__
from agent.adapters import state_dir
from agent.adapters.control_socket import ControlServer
from agent.adapters.memory import rss_peak_mb
from agent.adapters.notify import ServiceNotifier
from agent.adapters.steady_clock import SteadyClock
from agent.app.arming import arming, by_curve, new_id
from agent.app.broker import transport_for
from agent.app.checkpoints import anchoring
from agent.app.context import Context, Models
from agent.app.following import sync_loop, unlocking
from agent.app.hardware import governing, outside
from agent.app.lists import as_provisioned, open_lists, warn_of_silence
from agent.app.opening import record_start
from agent.app.source import camera_for, capture_limits, is_live
from agent.app.storage import Storage
from agent.app.vitals import Upkeep, coarse, drill, fpir_watch, health_reporter
from agent.app.wire import (
    delivery_limits,
    event_writer,
    gap_of,
    inbound,
    limits_of,
    listeners,
    state_message,
)
from agent.config import Config
from agent.delivery import DeliveryCore, Session
from agent.pipeline import Pipeline, PipelineSettings
from agent.policy.states import Cause
from agent.ports import Gallery
from agent.runtime import (
    builder_loop,
    capture_loop,
    control_loop,
    pipeline_loop,
    places_loop,
)
from agent.runtime.agent import Agent, Parts
from agent.runtime.arming import Arming
from agent.runtime.board import Board
from agent.runtime.builder_loop import BuilderLoop
from agent.runtime.capture_loop import CaptureLoop
from agent.runtime.clock_watch import ClockWatch
from agent.runtime.delivery_loop import DeliveryLoop
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.inbound import Actions
from agent.runtime.mailbox import Mailbox
from agent.runtime.orders import Adjust, Arm, Disarm, NewRules, Order
from agent.runtime.outcome import Outcome
from agent.runtime.pipeline_loop import PipelineLoop, Surroundings
from agent.runtime.supervisor import Supervisor
from agent.runtime.sync_loop import STAGE as SYNC_STAGE
from agent.values import Monotonic

DELIVERY_STAGE = "delivery"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `run` was asked for, besides the configuration.

    Attributes:
        camera_timeout_s: a live source never reached within this ends the run, s; None: never.
        arm: (reason, authorisation) to arm with at the start; None: stay disarmed, unless a
            crash interrupted an activation moments ago.
    """

    camera_timeout_s: float | None = None
    arm: tuple[str, str] | None = None


def build_agent(context: Context, options: RunOptions) -> Agent:
    """Everything that runs; nothing is started yet.

    Raises:
        BodycamError: the state folder is taken, a model does not verify, the list is damaged,
            the source is not one.
    """
    with ExitStack() as undo:
        lock = state_dir.StateLock(context.state_dir)
        state_dir.prepare(context.state_dir)
        lock.acquire()
        undo.callback(lock.release)
        return _wire(context, options, undo)


def _wire(context: Context, options: RunOptions, undo: ExitStack) -> Agent:
    """Everything in the order in which the parts need each other."""
    clock, log, uid = context.clock, context.log, os.getuid()
    camera = camera_for(context.config, clock)
    models = context.models()
    storage = Storage(
        context.state_dir, context.config, context.audit(), clock=clock, log=log, undo=undo
    )
    ledger, outbox = storage.ledger, storage.outbox
    lists, rules = open_lists(
        context, models.embedder.identity.space, ledger, undo, keep_going=storage.keep_going
    )
    gallery, config = lists.gallery, as_provisioned(context.config, lists)
    warn_of_silence(config, gallery, lists.trouble, log)
    session = Session(outbox.count_up("session"), __version__, rules.book.policy.test)
    record_start(
        ledger, context.audit(), config=config, session=session, models=models, gallery=gallery,
        now=clock.wall(),
    )  # fmt: skip

    board = Board(clock, lists.condition(rules.book))
    beats = Heartbeats(clock, _patience(config))
    mailbox: Mailbox[Order] = Mailbox(live=is_live(config))
    around_us = outside(config, clock, beats, log)
    sync = sync_loop(
        context, lists.vault, ledger, rules, clock=clock, board=board, heartbeats=beats, log=log
    )
    events = event_writer(config, models, lists.vault, provisioned=context.provisioned)

    def report() -> None:
        transport.publish_state(state_message(session, board))
        health.soon()

    limit = limits_of(config, lists.vault)
    monitor = fpir_watch(context, lambda: rules.book.policy.target_fpir)
    actions = Actions(
        acknowledged=lambda event: delivery.acknowledged(event),  # noqa: PLW0108 -- made below
        disarm=lambda reason: mailbox.post(Disarm(reason, uid, Cause.COMMAND)),
        arm=lambda reason, authorisation: mailbox.post(Arm(reason, authorisation, uid)),
        sync=lambda: None if sync is None else sync.nudge(),
        report=report,
        unpark=lambda event: delivery.unpark(event),  # noqa: PLW0108 -- made below
        reviewed=monitor.reviewed,
        reset_monitor=monitor.reset,
        authorise=rules.authorise,
        revoke=rules.revoke,
    )
    hears = inbound(
        context, lists.vault, ledger, actions, session=session.number,
        remote_arm=lambda: rules.book.policy.remote_arm,
    )  # fmt: skip
    transport = transport_for(
        config, birth=state_message(session, board), will=session.will(), clock=clock,
        heard_by=listeners(sync, hears), log=log,
    )  # fmt: skip
    limits, upkeep = delivery_limits(config, lists.vault, log), Upkeep(storage, hears)
    trial = drill(
        storage, events, lambda: delivery.notify(), board,  # noqa: PLW0108 -- made below
        policy=lambda: rules.book.policy, confirm=limits.confirm, clock=clock, new_id=new_id,
    )  # fmt: skip
    anchors = anchoring(
        context, config, lists.vault, outbox,
        lambda: delivery.notify(), board=board,  # noqa: PLW0108 -- made below
    )  # fmt: skip
    upkeep.jobs += [ClockWatch(clock, ledger).upkeep, anchors.upkeep]

    def arrived(event: str, at: Monotonic) -> None:
        trial.delivered(event, at)
        anchors.delivered(event, at)

    delivery = DeliveryLoop(
        outbox,
        transport,
        DeliveryCore(limits, random.random),
        clock,
        partial(beats.beat, DELIVERY_STAGE),
        finish=events.finish,
        make_gap=partial(gap_of, events, clock, new_id, board),
        upkeep=upkeep,
        on_delivered=arrived,
        is_alert=lambda event: not anchors.is_mine(event),
    )
    storage.watch.attach(board, lambda why: mailbox.post(Disarm(why, uid, Cause.STORAGE)))
    rules.post = lambda book, gone: mailbox.post(NewRules(book, gone))
    if rules.revoked:  # what a crash kept from being deleted
        rules.post(rules.book, rules.revoked)
    armed_by = arming(
        context,
        outbox,
        events,
        rules,
        limits=limit,
        rule_for=by_curve(models.curve),
        places=around_us.places,
        fpir_exceeded=monitor.exceeded,
    )
    around = Surroundings(
        outbox=outbox,
        notify=delivery.notify,
        events=events,
        ledger=ledger,
        monitor=monitor,
        board=board,
        heartbeats=beats,
        log=log,
        clock=clock,
        uid=uid,
        here=around_us.here,
        coarse=coarse,
    )
    pipeline = PipelineLoop(_pipeline(config, models, gallery), gallery, mailbox, armed_by, around)
    governor = governing(
        config, limit(rules.book.policy), around_us.hardware,
        pipeline.tally, lambda effort: mailbox.post(Adjust(effort)), board=board, clock=clock,
        log=log,
    )  # fmt: skip
    capture = CaptureLoop(
        camera,
        mailbox,
        capture_limits(config, options.camera_timeout_s),
        clock=clock,
        board=board,
        heartbeats=beats,
        log=log,
        wanted=lambda: pipeline.armed,
    )
    builder = BuilderLoop(
        lists.source, mailbox, (gallery, lists.fingerprint), clock=SteadyClock(clock), board=board,
        heartbeats=beats, log=log, uid=uid,
        look_again=(lambda: None) if sync is None else sync.nudge,
    )  # fmt: skip
    health = health_reporter(
        context, config, lists, storage, board=board, delivery=delivery, transport=transport,
        session=session, sync=sync, undo=undo, hardware=around_us.hardware,
        governing=governor, monitor=monitor,
        report=lambda: agent.report(),  # noqa: PLW0108 -- made below
    )  # fmt: skip
    upkeep.jobs += [health.upkeep, monitor.upkeep, governor.upkeep]
    outcome = Outcome()
    manager = ServiceNotifier(os.environ, os.getpid())
    agent = Agent(
        Parts(
            clock=clock,
            log=log,
            board=board,
            heartbeats=beats,
            mailbox=mailbox,
            outcome=outcome,
            capture=capture,
            pipeline=pipeline,
            delivery=delivery,
            transport=transport,
            control=_control(context, undo),
            unlock=unlocking(lists.vault, ledger, clock=clock, board=board, sync=sync, rules=rules),
            drill=trial,
            builder=builder,
            sync=sync,
            inbound=hears,
            hardware=around_us.hardware,
            indicator=around_us.indicator,
            places=around_us.loop,
            governing=governor,
            anchoring=anchors,
            supervisor=Supervisor(outcome, beats, manager, clock, log),
            manager=manager,
            session=session,
            ledger=ledger,
            models=(models.detector.identity, models.embedder.identity),
            first_orders=() if lists.trouble else _first_orders(options, armed_by, uid),
            drain_s=config.delivery.drain_s if config.mqtt.host else 0.0,
            rss_peak_mb=rss_peak_mb,
            release=undo.pop_all().close,
        )
    )
    return agent


def _patience(config: Config) -> dict[str, float]:
    """How long each stage may be silent, s, before the watchdog is no longer fed."""
    return {
        capture_loop.STAGE: config.camera.stall_s + 20.0,  # a read may block until the stall
        pipeline_loop.STAGE: 20.0,  # a crowd of hundreds takes seconds
        DELIVERY_STAGE: 20.0,  # a commit on a worn-out card takes seconds
        control_loop.STAGE: 30.0,
        builder_loop.STAGE: 600.0,  # a large index takes minutes at low priority
        places_loop.STAGE: 30.0,
        SYNC_STAGE: 600.0,  # so does the installation of a long list
    }


def _first_orders(options: RunOptions, arming: Arming, uid: int) -> tuple[Arm, ...]:
    """Arm as asked; else go on with what a crash interrupted; else stay disarmed."""
    cut = arming.interrupted()
    if options.arm is not None:
        reason, authorisation = options.arm
        same = cut is not None and (cut.reason, cut.authorisation) == options.arm
        return (Arm(reason, authorisation, uid, resumes=cut.id if cut and same else ""),)
    if cut is not None:
        return (Arm(cut.reason, cut.authorisation, cut.uid, resumes=cut.id),)
    return ()


def _pipeline(config: Config, models: Models, gallery: Gallery) -> Pipeline:
    return Pipeline(
        models.detector,
        models.embedder,
        gallery,
        PipelineSettings.of(config),
        new_id=new_id,
        timer=time.perf_counter,
    )


def _control(context: Context, undo: ExitStack) -> ControlServer:
    server = ControlServer(context.control_path, os.getuid())
    server.open()
    undo.callback(server.close)
    return server
