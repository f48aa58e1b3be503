"""How the device is doing, and test alerts: wired together."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agent import __version__
from agent.adapters.announced_topics import AnnouncedTopics
from agent.adapters.disk_space import free_mb
from agent.adapters.fpir_file import FpirFile
from agent.adapters.kernel_time import clock_state
from agent.adapters.metrics_file import MetricsFile
from agent.app.broker import topics_of
from agent.app.context import Context
from agent.app.lists import Lists
from agent.app.storage import Storage
from agent.app.vault import Vault
from agent.config import Config
from agent.delivery import EventWriter, Session
from agent.delivery.health import tens
from agent.delivery.home_assistant import discovery
from agent.errors import BodycamError, DiskError
from agent.messages import iso_utc
from agent.messages.health import FalseAlerts, GovernorHealth, ListHealth
from agent.policy import Policy
from agent.policy.fpir_monitor import sprt_for
from agent.ports import Clock, Transport
from agent.ports.hardware import Hardware
from agent.ports.log import Log
from agent.runtime.announcing import Announcing
from agent.runtime.board import Board
from agent.runtime.delivery_loop import DeliveryLoop
from agent.runtime.drill import Drill
from agent.runtime.fpir_watch import FpirWatch
from agent.runtime.governing import Governing
from agent.runtime.health import Conditions, HealthReporter, Sources
from agent.runtime.inbound import Inbound
from agent.runtime.sync_loop import SyncLoop
from agent.values import Wall, WatchlistRef


class Upkeep:
    """What the delivery thread does every two seconds besides; more may be added until it starts.

    Attributes:
        jobs: in order.
    """

    def __init__(self, storage: Storage, hears: Inbound | None) -> None:
        self.jobs: list[Callable[[], None]] = [storage.upkeep]
        if hears is not None:
            self.jobs.append(hears.upkeep)

    def __call__(self) -> None:
        for job in self.jobs:
            job()


def fpir_watch(context: Context, target_fpir: Callable[[], float]) -> FpirWatch:
    """The running monitor of false alerts, with the counts of earlier runs, held to the target of
    the policy in force.
    """
    return FpirWatch(
        lambda: sprt_for(target_fpir()),
        context.config.monitor.fragmentation,
        FpirFile(context.state_dir / "fpir.json"),
        clock=context.clock,
        log=context.log,
    )


def coarse(count: int) -> int:
    """A count of people as the audit log may keep it."""
    chance = random.SystemRandom().random
    return tens(count, (chance(), chance(), chance()))


def drill(
    storage: Storage,
    events: EventWriter,
    notify: Callable[[], None],
    board: Board,
    *,
    policy: Callable[[], Policy],
    confirm: str,
    clock: Clock,
    new_id: Callable[[Wall], str],
) -> Drill:
    """What answers `ctl test-alert`."""

    def watchlist() -> WatchlistRef:
        now = board.condition
        return WatchlistRef(now.list_id, now.list_version)

    return Drill(
        storage.outbox,
        events,
        notify,
        watchlist,
        policy=policy,
        confirm=confirm,
        ledger=storage.ledger,
        clock=clock,
        new_id=new_id,
    )


def health_reporter(
    context: Context,
    config: Config,
    lists: Lists,
    storage: Storage,
    *,
    board: Board,
    delivery: DeliveryLoop,
    transport: Transport,
    session: Session,
    sync: SyncLoop | None,
    hardware: Hardware,
    governing: Governing,
    monitor: FpirWatch,
    report: Callable[[], Mapping[str, Any]],
    undo: ExitStack,
) -> HealthReporter:
    """What tells the broker, Prometheus and Home Assistant, as configured.

    `config` has the device's name as provisioned; `report` gives the run report so far; `undo`
    removes the file of metrics at the end.
    """
    sources = Sources(
        report=report,
        board=board,
        delivery=delivery,
        transport=transport,
        session=session,
        conditions=lambda: _conditions(
            context,
            lists.vault,
            storage,
            board,
            hardware=hardware,
            governing=governing,
            monitor=monitor,
        ),
        sync=None if sync is None else sync.status,
    )
    return HealthReporter(
        sources,
        config.health.every_s,
        clock=context.clock,
        chance=random.random,
        metrics=_metrics(config, undo),
        on_published=_announce(context, config, transport, context.log),
        log=context.log,
    )


def _metrics(config: Config, undo: ExitStack) -> MetricsFile | None:
    if not config.health.prometheus_file:
        return None
    file = MetricsFile(Path(config.health.prometheus_file))
    undo.callback(file.remove)
    return file


def _announce(
    context: Context, config: Config, transport: Transport, log: Log
) -> Callable[[], None]:
    """Announce, or take away; returns what is to be called when a health message went out."""
    every_s = config.health.every_s
    wanted = (
        discovery(topics_of(config), __version__, every_s) if config.health.home_assistant else {}
    )
    announced = AnnouncedTopics(context.state_dir / "home_assistant.json")
    try:
        return Announcing(transport, announced, wanted).published
    except DiskError as error:
        log.warning("nothing is announced to Home Assistant", reason=str(error))
        return lambda: None


def _conditions(
    context: Context,
    vault: Vault | None,
    storage: Storage,
    board: Board,
    *,
    hardware: Hardware,
    governing: Governing,
    monitor: FpirWatch,
) -> Conditions:
    return Conditions(
        free_mb=free_mb(context.state_dir),
        reserve=storage.reserve_state,
        clock=clock_state(),
        watchlist=_watchlist(vault, board, now=context.clock.wall()),
        hardware=hardware.read(),
        governor=_governor(governing),
        false_alerts=FalseAlerts(
            rejected=len(monitor.counts.rejected), exceeded=monitor.exceeded() is not None
        ),
    )


def _governor(governing: Governing) -> GovernorHealth | None:
    told = governing.hardware_effort()
    if told is None:
        return None
    rules, effort = told
    return GovernorHealth(
        rules=rules,
        rate_hz=effort.rate_hz,
        face_px=effort.face_px,
        shots_per_s=effort.shots_per_s,
    )


def _watchlist(vault: Vault | None, board: Board, *, now: Wall) -> ListHealth | None:
    """The list in service; its dates where the store knows them for this very version."""
    condition = board.condition
    if not condition.list_id:
        return None
    served = WatchlistRef(condition.list_id, condition.list_version)
    plain = ListHealth(id=served.id, version=served.version)
    if vault is None or vault.locked:
        return plain
    try:
        installed = vault.store().installed()
    except BodycamError:
        return plain
    if installed is None or installed.ref != served:
        return plain
    return ListHealth(
        id=served.id,
        version=served.version,
        age_s=max(0, int(now - installed.created)),
        not_after=iso_utc(installed.not_after),
    )
