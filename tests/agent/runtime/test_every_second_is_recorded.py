"""Whatever is armed, disarmed, killed, or full: no frame is looked at outside what the audit log
says, and a reserve that is used up means disarmed.
"""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from agent.adapters.audit_log import AuditLog
from agent.adapters.reserve import Reserve
from agent.adapters.reserved_ledger import ReservedLedger
from agent.audit.usage import Period, usage_of, wall_of
from agent.errors import DiskError
from agent.runtime.orders import Arm, Disarm
from agent.runtime.pipeline_loop import Surroundings
from agent.runtime.storage_watch import StorageWatch
from tests.support.agents import MAN, STRANGER, Rig
from tests.support.auditing import key_of

RESERVE_BYTES = 4096
PLENTY = 1 << 40
ACTIONS = st.sampled_from(
    [
        *[("arm",)] * 4,
        ("disarm",),
        *[("show", person, seconds) for person in (MAN, STRANGER) for seconds in (0.1, 1.5)],
        *[("wait", seconds) for seconds in (0.5, 900.0)],
        *[("kill", seconds) for seconds in (1.0, 50.0, 70.0)],
        *[("full", records) for records in (0, 0, 1, 3)],
        ("space",),
        ("checkpoint",),
    ]
)


class Disk:
    """Full or not; with the reserve let go, so many records more fit."""

    def __init__(self) -> None:
        self.full, self.left = False, 0

    @property
    def free(self) -> int:
        return 0 if self.full else PLENTY


class Log:
    """The audit log on that disk."""

    def __init__(self, log: AuditLog, disk: Disk, reserve: Reserve) -> None:
        self._log, self._disk, self._reserve = log, disk, reserve

    def append(self, kind: str, **fields: str | int) -> object:
        if self._disk.full:
            if self._reserve.held or not self._disk.left:
                raise DiskError("full") from OSError(errno.ENOSPC, "no space left on device")
            self._disk.left -= 1
        return self._log.append(kind, **fields)


class SmallReserve(Reserve):
    disk: Disk

    def _free(self) -> int:
        return self.disk.free


class Agent(Rig):
    """One run of the agent, begun as `agent.app` does: a start in the log, what a crash cut."""

    def __init__(self, folder: Path, disk: Disk, now: float) -> None:
        self.disk = disk
        super().__init__(folder)
        self.clock.now = self.clock.wall_now = now
        self.watch.attach(self.board, lambda why: self.mailbox.post(Disarm(why, 7)))
        self.ledger_on_disk.append("start", session=1)
        cut = self.arming.interrupted()
        if cut is not None:
            self.mailbox.post(Arm(cut.reason, cut.authorisation, cut.uid, resumes=cut.id))
            self.loop.turn(0)

    def _around(self) -> Surroundings:
        folder = self.kept._path.parent
        self.watch = StorageWatch(self.log)
        self.reserve = SmallReserve(folder / "reserve", RESERVE_BYTES, self.watch)
        self.reserve.disk = self.disk
        self.reserve.take()
        self.audit = AuditLog(folder / "audit", self.clock)
        self.ledger_on_disk = ReservedLedger(Log(self.audit, self.disk, self.reserve), self.reserve)
        return replace(super()._around(), ledger=self.ledger_on_disk)

    @property
    def looked(self) -> int:
        return self.loop.tally.processed

    def upkeep(self) -> None:
        """As the delivery thread does."""
        self.reserve.take()
        self.ledger_on_disk.catch_up()


class World:
    def __init__(self, folder: Path) -> None:
        self.folder, self.disk = folder, Disk()
        self.agent = Agent(folder, self.disk, 1_800_000_000.0)
        self.looked_at: list[float] = []

    def do(self, action: str, *values: float) -> None:
        getattr(self, action)(*values)
        if self.agent.reserve.exhausted:
            self.agent.loop.turn(0)  # the order to disarm comes before any frame
            assert not self.agent.loop.armed

    def arm(self) -> None:
        self.agent.arm()

    def disarm(self) -> None:
        self.agent.mailbox.post(Disarm("end of shift", 1000))
        self.agent.loop.turn(0)

    def show(self, person: int, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            before, at = self.agent.looked, self.agent.clock.wall_now
            over = self.agent.reserve.exhausted
            self.agent.show(person, 0.1)
            if self.agent.looked > before:
                assert not over
                self.looked_at.append(at)

    def wait(self, seconds: float) -> None:
        self.agent.clock.advance(seconds)
        self.agent.loop.turn(0)
        self.agent.upkeep()

    def kill(self, seconds: float) -> None:
        """Nothing of it is left but what is on disk."""
        self.agent.outbox.close()
        self.agent = Agent(self.folder, self.disk, self.agent.clock.wall_now + seconds)

    def full(self, records: int) -> None:
        self.disk.full, self.disk.left = True, records

    def space(self) -> None:
        self.disk.full = False
        self.agent.upkeep()

    def checkpoint(self) -> None:
        if not self.disk.full:
            self.agent.audit.checkpoint(key_of())


def uses(records: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """From each arming to what ends it, read from the log alone."""
    found, began = [], None
    for record in records:
        at = wall_of(record["time"])
        if began is not None and record["kind"] in ("arm", "disarm", "stop", "start"):
            found.append((began, at))
            began = None
        if record["kind"] == "arm":
            began = at
    return found if began is None else [*found, (began, float("inf"))]


@given(st.lists(ACTIONS, max_size=30))
@example([("full", 0), ("arm",), ("full", 3), ("arm",), ("show", STRANGER, 1.5)])
@settings(deadline=None, max_examples=150)
@pytest.mark.slow
def test_no_frame_is_looked_at_outside_what_the_log_says(actions: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            for action in actions:
                world.do(*action)
            records = [json.loads(line) for line in world.agent.audit.lines()]
            known = uses(records)
            for at in world.looked_at:
                # times in the log have milliseconds, and are cut to them
                inside = [first - 0.001 <= at <= last + 0.001 for first, last in known]
                assert any(inside), (at, known)
            assert world.agent.audit.verify().intact
            _and_the_report_counts_them(records, world)
            event(f"looked: {bool(world.looked_at)}, exhausted: {world.agent.reserve.exhausted}")
        finally:
            world.agent.outbox.close()


def _and_the_report_counts_them(records: list[dict[str, Any]], world: World) -> None:
    """No use is lost; what a kill cut off counts up to the last sign of life in the log."""
    usage = usage_of(records, Period(0, 4e9))
    assert usage.uses == sum(record["kind"] == "arm" for record in records)
    sure = sum(last - first for first, last in uses(records) if last != float("inf"))
    assert usage.armed_s <= sure + (world.agent.clock.wall_now - 1_800_000_000.0)


def test_a_reserve_that_is_used_up_disarms_before_the_next_frame(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.arm()
    world.show(MAN, 0.5)
    assert world.looked_at
    world.full(0)
    world.agent.ledger_on_disk.append("refusal", what="arm", reason="x")
    assert world.agent.reserve.exhausted
    before = len(world.looked_at)
    world.show(STRANGER, 0.5)
    assert len(world.looked_at) == before
    world.arm()
    assert not world.agent.loop.armed
    world.space()
    kinds = [json.loads(line)["kind"] for line in world.agent.audit.lines()]
    assert kinds == ["start", "arm", "late", "refusal", "disarm"]
    world.arm()
    assert world.agent.loop.armed
    world.agent.outbox.close()
