"""Tells how the device is doing: on MQTT, and in a file, now and then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from agent.delivery import Session
from agent.delivery.health import FaceRate, FrameCount, latencies, memory_step_mb
from agent.delivery.prometheus import metrics_text
from agent.errors import BodycamError
from agent.messages import iso_utc
from agent.messages.health import (
    Battery,
    Disk,
    FalseAlerts,
    GovernorHealth,
    HealthMessage,
    LinkCertificates,
    ListHealth,
    OutboxHealth,
    SyncHealth,
)
from agent.ports import Clock, Transport
from agent.ports.log import Log
from agent.runtime.board import Board
from agent.runtime.delivery_status import DeliveryStatus
from agent.values import Monotonic
from agent.values.hardware import HardwareState

TOPIC: Final = "health"
_FIRST_S: Final = 5.0
"""The first one, so that a fleet shows soon after its start."""
_SOONEST_S: Final = 10.0
"""Whoever asks for one gets it no faster than this."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the device finds around it.

    Attributes:
        free_mb: disk left, megabytes; None when that cannot be told.
        reserve: of the disk.
        clock: whether it is set.
        watchlist: in service; None for nobody's.
        hardware: battery and heat.
        governor: how much of its work it does; None where that is not governed.
        false_alerts: what the monitor of them says.
    """

    free_mb: int | None
    reserve: Literal["held", "in-use", "used-up", "none"]
    clock: Literal["synchronised", "free-running", "unknown"]
    watchlist: ListHealth | None
    hardware: HardwareState = field(default_factory=HardwareState)
    governor: GovernorHealth | None = None
    false_alerts: FalseAlerts | None = None


class Delivering(Protocol):
    """The delivery loop, as it is seen from here."""

    @property
    def status(self) -> DeliveryStatus: ...


class Metrics(Protocol):
    """Where the same is written for Prometheus."""

    def write(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the figures come from.

    Attributes:
        report: the run report so far.
        board: state and whether armed.
        delivery: outbox and link.
        transport: sends; knows of certificates.
        session: of this run.
        conditions: see `Conditions`.
        sync: its status; None where no list is followed.
    """

    report: Callable[[], Mapping[str, Any]]
    board: Board
    delivery: Delivering
    transport: Transport
    session: Session
    conditions: Callable[[], Conditions]
    sync: Callable[[], Mapping[str, Any]] | None


class HealthReporter:
    """Makes a message every `every_s`. `upkeep` for one thread; `soon` for any.

    Args:
        sources: see `Sources`.
        every_s: between two messages, s.
        clock: both times are read.
        chance: uniform numbers in [0, 1), for blurring.
        metrics: None: no file.
        on_published: called when a message went out.
        log: told of a file that cannot be written, once for each reason.
    """

    def __init__(
        self,
        sources: Sources,
        every_s: float,
        *,
        clock: Clock,
        chance: Callable[[], float],
        metrics: Metrics | None,
        on_published: Callable[[], None],
        log: Log,
    ) -> None:
        self._sources = sources
        self._every_s = every_s
        self._clock = clock
        self._metrics = metrics
        self._on_published = on_published
        self._log = log
        self._began = now = clock.monotonic()
        self._faces = FaceRate(chance, now=now)
        self._frames = FrameCount()
        self._due = Monotonic(now + min(_FIRST_S, every_s))
        self._latest = now
        self._trouble = ""

    def soon(self) -> None:
        """Somebody asks: the next one is due."""
        self._due = min(self._due, Monotonic(self._latest + _SOONEST_S))

    def upkeep(self) -> None:
        """To be called every few seconds: a message, if it is time for one."""
        now = self._clock.monotonic()
        if now < self._due:
            return
        self._due, self._latest = Monotonic(now + self._every_s), now
        try:
            self._tell(self.message(now=now))
        except (BodycamError, ValueError) as error:  # alerts matter more than this
            self._complain(" ".join(str(error).split()))
        else:
            self._trouble = ""

    def message(self, *, now: Monotonic) -> HealthMessage:
        """How the device is doing; frames are counted since the message before."""
        sources, report = self._sources, self._sources.report()
        condition, found = sources.board.condition, sources.conditions()
        frames, status = report["frames"], sources.delivery.status
        link = sources.transport.health()
        return HealthMessage(
            time=iso_utc(self._clock.wall()),
            session=sources.session.number,
            version=sources.session.version,
            test=sources.session.test,
            uptime_s=int(now - self._began),
            every_s=self._every_s,
            state=condition.state,
            armed=condition.armed,
            frames=self._frames.since(frames["processed"], frames["dropped"]),
            faces_per_minute=self._faces.of(report["tracks"], now=now),
            latency_ms=latencies(report["latency_ms"]),
            temperature_c=_whole(found.hardware.temperature_c),
            battery=_battery(found.hardware),
            governor=found.governor,
            disk=Disk(free_mb=found.free_mb, reserve=found.reserve),
            memory_mb=memory_step_mb(report["rss_peak_mb"]),
            outbox=OutboxHealth(
                waiting=status.pending, parked=status.parked, given_up=status.given_up
            ),
            watchlist=found.watchlist,
            sync=self._sync(),
            link=LinkCertificates(
                certificate_days=link.certificate_days,
                broker_certificate_days=link.broker_certificate_days,
            ),
            clock=found.clock,
            false_alerts=found.false_alerts,
        )

    def _sync(self) -> SyncHealth | None:
        if self._sources.sync is None:
            return None
        told = self._sources.sync()
        return SyncHealth(kind=told["kind"], fault=told["fault"], last_good=told["last_good"])

    def _tell(self, message: HealthMessage) -> None:
        if self._sources.delivery.status.connected:
            payload = message.model_dump_json(by_alias=True).encode()
            self._sources.transport.publish(TOPIC, payload)
            self._on_published()
        if self._metrics is not None:
            self._metrics.write(metrics_text(message, now=self._clock.wall()))

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._log.warning("health cannot be told in full", reason=trouble)


def _whole(value: float | None) -> float | None:
    return None if value is None else float(round(value))


def _battery(hardware: HardwareState) -> Battery | None:
    found = hardware.battery
    return None if found is None else Battery(percent=found.percent, charging=found.charging)
