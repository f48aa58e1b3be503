"""The health message of a device in front of people, and where it goes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from agent.delivery import Session
from agent.errors import DiskError
from agent.messages.health import FalseAlerts, HealthMessage, ListHealth
from agent.ports import ModelIdentity
from agent.runtime.board import Board
from agent.runtime.delivery_status import DeliveryStatus
from agent.runtime.health import Conditions, HealthReporter, Sources
from agent.runtime.report import run_report
from agent.values.hardware import BatteryLevel, HardwareState
from tests.support.agents import NOBODY, Rig
from tests.support.clocks import FakeClock
from tests.support.delivery_world import ScriptedTransport
from tests.support.logs import KeptLog

_NO_NOISE = 0.5
_FRAME_S = 0.25
_MODEL = ModelIdentity("portraits", "fp32", "5" * 64, "portraits")


@dataclass
class Capturing:
    """Counts of a camera."""

    read: int = 0
    unwatched: int = 0
    passed_by: int = 0


@dataclass
class Delivering:
    """Counts of delivery."""

    status: DeliveryStatus = field(default_factory=lambda: DeliveryStatus(connected=True))

    def latencies_s(self) -> list[float]:
        return []


class KeptFile:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.full = False

    def write(self, text: str) -> None:
        if self.full:
            raise DiskError("metrics: no space left on device")
        self.texts.append(text)


class World:
    """A reporter, and the figures it reads."""

    def __init__(self, clock: FakeClock | None = None, board: Board | None = None) -> None:
        self.clock = clock or FakeClock()
        self.board = board or Board(self.clock)
        self.transport, self.file, self.log = ScriptedTransport(), KeptFile(), KeptLog()
        self.delivery = Delivering()
        self.published = 0
        self.figures: dict[str, Any] = {
            "frames": {"processed": 0, "dropped": 0}, "tracks": 0, "latency_ms": {},
            "rss_peak_mb": 100.0,
        }  # fmt: skip
        self.conditions = Conditions(500, "held", "synchronised", ListHealth(id="L-1", version=2))
        self.reporter = self.make(lambda: self.figures)

    def make(self, report: Any) -> HealthReporter:
        sources = Sources(
            report=report, board=self.board, delivery=self.delivery, transport=self.transport,
            session=Session(3, "0.4.0", True), conditions=lambda: self.conditions,
            sync=lambda: {"kind": "refused", "fault": "rollback", "last_good": None, "result": "x"},
        )  # fmt: skip
        return HealthReporter(
            sources, 60.0, clock=self.clock, chance=lambda: _NO_NOISE, metrics=self.file,
            on_published=self._count, log=self.log,
        )  # fmt: skip

    def _count(self) -> None:
        self.published += 1

    def pass_time(self, seconds: float) -> None:
        """As the delivery thread does it: a look every two seconds."""
        for _ in range(round(seconds / 2)):
            self.clock.advance(2.0)
            self.reporter.upkeep()

    def said(self) -> list[HealthMessage]:
        return [HealthMessage.model_validate(json.loads(told)) for _, told in self.transport.said]


def test_soon_after_the_start_and_then_every_minute() -> None:
    world = World()
    world.pass_time(4)
    assert world.said() == []
    world.pass_time(2)
    assert [topic for topic, _ in world.transport.said] == ["health"]
    world.pass_time(240)
    assert [message.uptime_s for message in world.said()] == [6, 66, 126, 186, 246]
    assert world.published == 5
    first = world.said()[0]
    assert (first.session, first.state, first.armed) == (3, "disarmed", False)
    assert first.sync is not None
    assert (first.sync.kind, first.sync.fault) == ("refused", "rollback")


def test_battery_and_heat_where_the_hardware_tells() -> None:
    world = World()
    world.pass_time(6)
    assert (world.said()[0].battery, world.said()[0].temperature_c) == (None, None)
    hardware = HardwareState(BatteryLevel(37.0, charging=False, volts=3.7), 51.4)
    world.conditions = replace(world.conditions, hardware=hardware)
    world.pass_time(60)
    told = world.said()[1]
    assert told.battery is not None
    assert (told.battery.percent, told.battery.charging) == (37.0, False)
    assert told.temperature_c == 51.0
    assert "bodycam_battery_percent 37\n" in world.file.texts[1]


def test_whoever_asks_gets_one_but_not_as_often_as_he_likes() -> None:
    world = World()
    world.pass_time(6)
    for _ in range(100):
        world.reporter.soon()
    world.pass_time(8)
    assert len(world.said()) == 1
    world.pass_time(2)
    assert len(world.said()) == 2
    world.pass_time(58)
    assert len(world.said()) == 2


def test_without_a_broker_only_the_file_is_written() -> None:
    world = World()
    world.delivery.status = DeliveryStatus(pending=7, parked=2, given_up=1)
    world.pass_time(6)
    assert (world.transport.said, world.published) == ([], 0)
    assert "bodycam_outbox_waiting 7\n" in world.file.texts[0]
    assert "bodycam_outbox_parked 2\n" in world.file.texts[0]
    world.delivery.status = replace(world.delivery.status, connected=True)
    world.pass_time(60)
    assert world.said()[0].outbox.given_up == 1


def test_a_file_that_cannot_be_written_is_told_once_and_hinders_nothing() -> None:
    world = World()
    world.file.full = True
    world.pass_time(200)
    assert len(world.said()) == 4
    assert world.log.messages("warning") == ["health cannot be told in full"]
    world.file.full = False
    world.pass_time(60)
    world.file.full = True
    world.pass_time(60)
    assert len(world.log.messages("warning")) == 2


def test_figures_that_fit_no_message_do_not_end_delivery() -> None:
    world = World()
    world.figures["rss_peak_mb"] = -5e9
    world.pass_time(6)
    assert (world.said(), len(world.log.messages("warning"))) == ([], 1)


def street(folder: Path, people: list[int]) -> HealthMessage:
    """A minute before an armed camera: somebody, or nobody, every three seconds."""
    folder.mkdir()
    rig = Rig(folder)
    world = World(rig.clock, rig.board)

    def report() -> dict[str, Any]:
        return run_report(
            Capturing(), rig.loop, world.delivery, models=(_MODEL, _MODEL), displaced=0,
            rss_peak_mb=100.0, now=rig.clock.monotonic(),
        )  # fmt: skip

    rig.arm()
    reporter = world.make(report)
    for person in people:
        rig.show(person, 0.75, _FRAME_S)
        rig.show(NOBODY, 2.25, _FRAME_S)
    rig.clock.advance(1.0)
    rig.outbox.close()
    assert rig.loop.tally.tracks == sum(person != NOBODY for person in people)
    return reporter.message(now=rig.clock.monotonic())


@pytest.mark.parametrize("crowd", [0, 1, 7])
def test_two_streets_that_differ_in_one_passer_by_give_the_same_message(
    tmp_path: Path, crowd: int
) -> None:
    def people(count: int) -> list[int]:
        return [20 + 8 * number if number < count else NOBODY for number in range(20)]

    without = street(tmp_path / "without", people(crowd))
    with_one = street(tmp_path / "with", people(crowd + 1))
    assert with_one == without
    assert with_one.frames.processed == 200


def test_a_crowd_shows_so_that_the_test_above_can_fail(tmp_path: Path) -> None:
    many = street(tmp_path / "many", [20 + 8 * number for number in range(20)])
    assert many.faces_per_minute == "10-29"


def test_rejected_alerts_and_a_device_that_stopped_itself() -> None:
    world = World()
    world.conditions = replace(
        world.conditions, false_alerts=FalseAlerts(rejected=3, exceeded=True)
    )
    world.pass_time(6)
    assert world.said()[0].false_alerts == FalseAlerts(rejected=3, exceeded=True)
    assert "bodycam_false_alerts_rejected 3" in world.file.texts[-1]
