from __future__ import annotations

from dataclasses import replace

import pytest

from agent.adapters.audit_log import AuditLog
from agent.errors import RefusedError
from agent.runtime.anchoring import Anchoring, AnchoringLimits
from agent.values import Monotonic
from tests.support.auditing import key_of
from tests.support.clocks import FakeClock
from tests.support.logs import KeptLog

LIMITS = AnchoringLimits(every_s=900.0, records=10, file_bytes=1 << 40, total_bytes=1 << 40)


class World:
    def __init__(self, folder, limits=LIMITS, *, hub=True):
        self.clock, self.log = FakeClock(), KeptLog()
        self.audit = AuditLog(folder / "audit", self.clock)
        self.armed, self.locked = False, False
        self.published = []
        self.anchoring = Anchoring(
            self.audit,
            self.key,
            self.published.append if hub else None,
            limits,
            armed=lambda: self.armed,
            clock=self.clock,
            log=self.log,
        )

    def key(self):
        if self.locked:
            raise RefusedError("the store is locked")
        return key_of()

    def record(self, count=1):
        for _ in range(count):
            self.audit.append("disarm", reason="x" * 200)

    def later(self, seconds):
        self.clock.advance(seconds)
        self.anchoring.upkeep()

    @property
    def signed(self):
        return [one.last.seq for one in self.published]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_what_was_recorded_is_signed_for_at_the_start_and_in_time(world):
    world.record(2)
    world.later(0)
    assert world.signed == [1]
    world.record()
    world.later(899)
    assert world.signed == [1]
    world.later(1)
    assert world.signed == [1, 3]
    assert world.audit.verify().protected == 3


def test_nothing_new_is_nothing_to_sign_unless_armed(world):
    world.record()
    world.later(0)
    world.later(10_000)
    assert world.signed == [0]
    world.armed = True
    world.later(0)
    world.later(899)
    assert world.signed == [0, 1]
    world.later(1)
    assert world.signed == [0, 1, 2]  # a sign of life, every quarter of an hour


def test_many_records_do_not_wait(world):
    world.record()
    world.later(0)
    world.record(9)
    world.later(1)
    assert world.signed == [0]
    world.record()
    world.later(1)
    assert world.signed == [0, 11]


def test_every_use_is_signed_for_when_it_ends_however_short(world):
    world.record()
    world.later(0)
    world.anchoring.is_armed(True)
    world.record()  # a look between the record of the end and the word of it
    world.later(2)
    world.anchoring.is_armed(False)
    assert world.signed == [0]
    world.later(2)
    assert world.signed == [0, 2]
    world.anchoring.is_armed(False)
    world.record()
    world.later(2)
    assert world.signed == [0, 2]  # nobody was looked for
    world.anchoring.is_armed(True)
    world.locked = True
    world.anchoring.is_armed(False)
    world.later(2)
    world.locked = False
    world.later(2)
    assert world.signed == [0, 2, 4]


def test_a_locked_device_signs_once_it_is_open(world):
    world.locked = True
    world.record()
    world.later(0)
    assert (world.signed, world.log.lines) == ([], [])
    world.locked = False
    world.later(2)
    assert world.signed == [0]


def test_the_end_of_a_run_is_signed_for(world):
    world.record()
    world.later(0)
    world.record()
    world.anchoring.last_one()
    assert world.signed == [0, 2]
    world.anchoring.last_one()
    assert world.signed == [0, 2]


def test_the_hub_has_it_once_it_says_so(world):
    world.record()
    world.later(0)
    made = world.published[0]
    assert world.anchoring.is_mine(made.id)
    assert not world.anchoring.is_mine("another")
    assert not world.anchoring.settled()
    world.anchoring.delivered(made.id, Monotonic(0.0))
    assert world.anchoring.settled()


def test_old_files_wait_for_the_hub(tmp_path):
    world = World(tmp_path, replace(LIMITS, records=1, file_bytes=1, total_bytes=2500))
    for _ in range(10):
        world.record()
        world.later(1)
    assert world.audit.verify().first == 0
    world.anchoring.delivered(world.published[4].id, Monotonic(0.0))
    known = world.published[4].last.seq
    world.record()
    world.later(1)
    report = world.audit.verify()
    assert report.intact
    assert 0 < report.first <= known + 1
    assert len(list(tmp_path.glob("audit/audit-*.jsonl"))) >= 5


def test_without_a_hub_the_bound_holds_by_itself(tmp_path):
    limits = replace(LIMITS, records=1, file_bytes=1, total_bytes=4000)
    world = World(tmp_path, limits, hub=False)
    for _ in range(40):
        world.record()
        world.later(1)
        files = list(tmp_path.glob("audit/audit*.jsonl"))
        assert sum(one.stat().st_size for one in files) < 4000 + 2500
        assert world.audit.verify().intact
    assert world.audit.verify().first > 50


def test_trouble_is_told_once_and_alerts_go_on(world):
    world.audit.path.parent.mkdir(parents=True)
    world.audit.path.write_text("{}\n")
    world.later(0)
    world.later(2)
    assert len(world.log.lines) == 1
    assert "not signed for" in str(world.log.lines[0])
