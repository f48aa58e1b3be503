"""What everything of a run stands on: opened first, and handed on."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass

from agent import __version__
from agent.app.context import Context, Models
from agent.app.following import sync_loop
from agent.app.lists import Lists, as_provisioned, open_lists, warn_of_silence
from agent.app.opening import record_start
from agent.app.source import is_live
from agent.app.storage import Storage
from agent.app.vitals import fpir_watch
from agent.config import Config
from agent.delivery import Session
from agent.runtime import (
    builder_loop,
    capture_loop,
    control_loop,
    pipeline_loop,
    places_loop,
)
from agent.runtime import (
    sync_loop as syncing,
)
from agent.runtime.board import Board
from agent.runtime.fpir_watch import FpirWatch
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.mailbox import Mailbox
from agent.runtime.orders import Order
from agent.runtime.rules_desk import RulesDesk
from agent.runtime.sync_loop import SyncLoop

DELIVERY_STAGE = "delivery"


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """Everything that several parts of the agent need.

    Attributes:
        context: of the run.
        config: with the device's name as provisioned.
        models: in use.
        storage: outbox and audit log.
        lists: the list of this device.
        rules: the agency's rules on it.
        session: of this run.
        board, heartbeats: as everywhere.
        mailbox: frames and orders for the pipeline.
        sync: follows the agency's list; None where there is none to follow.
        monitor: of false alerts.
        uid: of the agent itself.
    """

    context: Context
    config: Config
    models: Models
    storage: Storage
    lists: Lists
    rules: RulesDesk
    session: Session
    board: Board
    heartbeats: Heartbeats
    mailbox: Mailbox[Order]
    sync: SyncLoop | None
    monitor: FpirWatch
    uid: int


def ground(context: Context, undo: ExitStack) -> Ground:
    """Open what has to be on disk, and record the start.

    Args:
        context: of the run.
        undo: closes it at the end.

    Raises:
        BodycamError: a model does not verify, or something on disk is damaged.
    """
    clock, log, uid = context.clock, context.log, os.getuid()
    models = context.models()
    storage = Storage(
        context.state_dir, context.config, context.audit(), clock=clock, log=log, undo=undo
    )
    lists, rules = open_lists(
        context,
        models.embedder.identity.space,
        storage.ledger,
        undo,
        keep_going=storage.keep_going,
    )
    config = as_provisioned(context.config, lists)
    warn_of_silence(config, lists.gallery, lists.trouble, log)
    session = Session(storage.outbox.count_up("session"), __version__, rules.book.policy.test)
    record_start(
        storage.ledger, context.audit(), config=config, session=session, models=models,
        gallery=lists.gallery, now=clock.wall(),
    )  # fmt: skip
    rules.note()
    board = Board(clock, lists.condition(rules.book))
    beats = Heartbeats(clock, _patience(config))
    sync = sync_loop(
        context, lists.vault, storage.ledger, rules, clock=clock, board=board, heartbeats=beats,
        log=log,
    )  # fmt: skip
    monitor = fpir_watch(context, lambda: rules.book.policy.target_fpir)
    return Ground(
        context, config, models, storage, lists, rules, session, board, beats,
        Mailbox(live=is_live(config)), sync, monitor, uid,
    )  # fmt: skip


def _patience(config: Config) -> dict[str, float]:
    """How long each stage may be silent, s, before the watchdog is no longer fed."""
    return {
        capture_loop.STAGE: config.camera.stall_s + 20.0,  # a read may block until the stall
        pipeline_loop.STAGE: 20.0,  # a crowd of hundreds takes seconds
        DELIVERY_STAGE: 20.0,  # a commit on a worn-out card takes seconds
        control_loop.STAGE: 30.0,
        builder_loop.STAGE: 600.0,  # a large index takes minutes at low priority
        places_loop.STAGE: 30.0,
        syncing.STAGE: 600.0,  # so does the installation of a long list
    }
