"""Outbox and audit log on one real, full disk: neither ends the run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from agent.adapters.audit_log import AuditLog
from agent.app.storage import Storage
from agent.config import Config
from agent.errors import RefusedError
from agent.runtime.board import Board
from tests.support.alerts import an_entry, ulid
from tests.support.clocks import FakeClock
from tests.support.logs import KeptLog
from tests.support.outboxes import PAGE, leaves, spoil
from tests.support.small_disk import fill, small_disk

CONFIG = Config.model_validate({"storage": {"reserve_mb": 1}, "delivery": {"max_events": 10}})
ROOMY = Config.model_validate({"storage": {"reserve_mb": 1}})


class Device:
    def __init__(self, place: Path, config: Config = CONFIG) -> None:
        self.log, self.undo, self.clock = KeptLog(), ExitStack(), FakeClock()
        self.audit = AuditLog(place / "audit", self.clock)
        self.storage = Storage(
            place, config, self.audit, clock=self.clock, log=self.log, undo=self.undo
        )
        self.board, self.reasons = Board(self.clock), []
        self.storage.watch.attach(self.board, self.reasons.append)

    def kinds(self) -> list[str]:
        return [json.loads(line)["kind"] for line in self.audit.lines()]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, 4096) as place:
        yield place


def test_full_then_used_up_then_well_again(disk):
    device = Device(disk)
    storage = device.storage
    ballast = fill(disk)
    assert storage.outbox.put(an_entry(1, payload=b"x" * 5000))
    storage.ledger.append("alert", event=ulid(1))
    assert device.board.condition.state == "degraded"
    assert device.reasons == []

    fill(disk)
    assert storage.outbox.put(an_entry(2, payload=b"x" * 500_000)) is False
    assert len(device.reasons) == 1
    storage.ledger.append("disarm", reason=device.reasons[0])
    for _ in range(20):  # until the last block of the log itself is full
        storage.ledger.append("stop", reason="x" * 400)
    with pytest.raises(RefusedError, match="free some space"):
        storage.ledger.append("arm", reason="again")
    storage.upkeep()
    assert device.board.condition.storage != ""

    ballast.unlink()
    storage.upkeep()
    assert device.board.condition.storage == ""
    assert device.kinds().count("stop") == 20
    assert "disarm" in device.kinds()
    assert device.audit.verify().intact
    storage.ledger.append("arm", reason="again")
    assert storage.outbox.put(an_entry(3))
    assert storage.outbox.counts().given_up == 1
    device.undo.close()


def test_it_starts_on_a_full_disk(disk):
    """Otherwise a restart there would stop the alerts that wait from being delivered."""
    device = Device(disk)
    assert device.storage.outbox.put(an_entry(1))
    device.undo.close()
    fill(disk)
    again = Device(disk)
    assert again.storage.outbox.count_up("session") == 1
    fill(disk)  # now the reserve is used up, too: the database has room in itself
    assert again.storage.outbox.count_up("session") == 2
    assert again.storage.outbox.depth() == 1
    again.undo.close()


def test_the_bounds_are_those_of_the_configuration(tmp_path):
    device = Device(tmp_path)
    for number in range(12):
        device.storage.outbox.put(an_entry(number))
    assert device.storage.outbox.depth() == 10
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= 1_000_000
    device.undo.close()


def test_damage_is_logged_and_recorded_with_its_counts(tmp_path):
    device = Device(tmp_path)
    for number in range(10):
        device.storage.outbox.put(an_entry(number, payload=b"x" * 3000))
    device.undo.close()
    path = tmp_path / "outbox.sqlite"
    spoil(path, leaves(path, "entry")[4])
    device = Device(tmp_path)

    ((_, _, fields),) = [line for line in device.log.lines if line[0] == "error"]
    assert fields["entries"] == 9
    assert fields["dropped"] == 1
    assert str(fields["source"]).endswith("outbox.sqlite.corrupt-1")
    assert device.kinds() == ["gap"]
    device.undo.close()


def test_without_a_reserve_the_audit_log_is_the_plain_one(tmp_path):
    device = Device(tmp_path, Config.model_validate({"storage": {"reserve_mb": 0}}))
    assert device.storage.ledger is device.audit
    device.storage.upkeep()
    assert not (tmp_path / "reserve").exists()
    device.undo.close()


def test_no_room_for_the_reserve_is_said(disk):
    fill(disk, spare=60 * PAGE)
    device = Device(disk)
    assert device.log.messages("error") == ["the reserve is in use"]
    assert "full; free some space" in device.board.condition.storage
    device.undo.close()


def test_after_a_restart_the_outbox_leaves_the_audit_log_its_half_of_the_reserve(disk):
    fill(disk, spare=800_000)
    device = Device(disk, ROOMY)
    for number in range(200):
        device.storage.outbox.put(an_entry(number, payload=bytes(5000)))
    status = os.statvfs(disk)
    assert 300_000 < status.f_bavail * status.f_frsize < 600_000
    counts = device.storage.outbox.counts()
    assert counts.given_up == 200 - counts.events > 0
    device.undo.close()


def test_it_starts_though_not_a_block_is_free_and_the_log_cannot_be_emptied(disk):
    killed = Device(disk, ROOMY)
    killed.storage.outbox.count_up("session")
    killed.storage.outbox.tidy()
    for number in range(5):
        killed.storage.outbox.put(an_entry(number, payload=bytes(9000)))
    killed.storage._reserve.release()
    fill(disk)
    for session in (2, 3):
        again = Device(disk, ROOMY)
        assert again.storage.outbox.count_up("session") == session
        assert len(again.storage.outbox.pending(10)) == 5
        assert "nothing more can be recorded" in again.board.condition.storage
        again.undo.close()
    killed.undo.close()
