"""From the camera to an alert on disk, wired together: capture, pipeline, list and governor."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from agent.adapters.steady_clock import SteadyClock
from agent.app.arming import arming, by_curve, new_id
from agent.app.ground import Ground
from agent.app.hardware import Outside, governing, least_of
from agent.app.sending import Sending
from agent.app.source import capture_limits
from agent.app.vitals import coarse
from agent.app.wire import limits_of
from agent.pipeline import Pipeline, PipelineSettings
from agent.policy import Rulebook
from agent.ports import Camera
from agent.runtime.arming import Arming
from agent.runtime.builder_loop import BuilderLoop
from agent.runtime.capture_loop import CaptureLoop
from agent.runtime.governing import Governing
from agent.runtime.orders import Adjust, Arm, NewRules
from agent.runtime.pipeline_loop import PipelineLoop
from agent.runtime.surroundings import Surroundings


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


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """What looks at frames.

    Attributes:
        capture: from the camera into the mailbox.
        pipeline: from there into the outbox.
        builder: makes the index of a newer list.
        governing: how much is done.
        first_orders: given to the pipeline before the first frame.
    """

    capture: CaptureLoop
    pipeline: PipelineLoop
    builder: BuilderLoop
    governing: Governing
    first_orders: Sequence[Arm]


def matching(
    ground: Ground, sent: Sending, around_us: Outside, camera: Camera, options: RunOptions
) -> Matching:
    """Everything between the camera and the outbox."""
    context, config, lists = ground.context, ground.config, ground.lists
    clock, log, board, beats = context.clock, context.log, ground.board, ground.heartbeats
    rules, mailbox, models, gallery = ground.rules, ground.mailbox, ground.models, lists.gallery
    limit = limits_of(config, lists.vault)
    armed_by = arming(
        context,
        ground.storage.outbox,
        sent.events,
        rules,
        limits=limit,
        rule_for=by_curve(models.curve),
        places=around_us.places,
        fpir_exceeded=ground.monitor.exceeded,
    )
    around = Surroundings(
        outbox=ground.storage.outbox,
        notify=sent.delivery.notify,
        events=sent.events,
        ledger=ground.storage.ledger,
        monitor=ground.monitor,
        board=board,
        heartbeats=beats,
        log=log,
        clock=clock,
        uid=ground.uid,
        networks=models.hashes,
        here=around_us.here,
        coarse=coarse,
    )
    frames = Pipeline(
        models.detector,
        models.embedder,
        gallery,
        PipelineSettings.of(config),
        new_id=new_id,
        timer=time.perf_counter,
    )
    pipeline = PipelineLoop(frames, gallery, mailbox, armed_by, around)
    governor = governing(
        config, rules.book.policy, around_us.hardware,
        pipeline.tally, lambda effort: mailbox.post(Adjust(effort)), board=board, clock=clock,
        log=log,
    )  # fmt: skip

    def post(book: Rulebook, gone: frozenset[str]) -> None:
        governor.hold_to(least_of(book.policy))
        mailbox.post(NewRules(book, gone))

    rules.post = post
    if rules.revoked:  # what a crash kept from being deleted
        rules.post(rules.book, rules.revoked)
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
        heartbeats=beats, log=log, uid=ground.uid,
        look_again=(lambda: None) if ground.sync is None else ground.sync.nudge,
    )  # fmt: skip
    first = () if lists.trouble else _first_orders(options, armed_by, ground.uid)
    return Matching(capture, pipeline, builder, governor, first)


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
