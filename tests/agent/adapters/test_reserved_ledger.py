"""The audit log when its disk is full, on a real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.adapters.audit_log import AuditLog
from agent.adapters.reserve import Reserve
from agent.adapters.reserved_ledger import ReservedLedger
from agent.errors import DiskError, RefusedError
from tests.support.clocks import FakeClock
from tests.support.small_disk import StorageEars, fill, small_disk


class Device:
    def __init__(self, disk: Path) -> None:
        self.disk, self.ears = disk, StorageEars()
        self.reserve = Reserve(disk / "reserve", 65_536, self.ears)
        self.reserve.take()
        self.log = AuditLog(disk / "audit", FakeClock())
        self.ledger = ReservedLedger(self.log, self.reserve)

    def records(self) -> list[tuple[str, dict]]:
        lines = [json.loads(line) for line in self.log.lines()]
        return [(line["kind"], line["fields"]) for line in lines]

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.records() if kind != "torn"]


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with small_disk(tmp_path, 512) as disk:
        yield Device(disk)


def exhaust(device: Device) -> Path:
    """Fill the disk, let the reserve go, and fill that too, to the last byte of the log's page."""
    ballast = fill(device.disk)
    for _ in range(60):  # what is left of the log's own last block
        device.ledger.append("stop", reason="x")
        fill(device.disk)
        if device.reserve.exhausted:
            return ballast
    raise AssertionError("the disk never filled up")


def test_it_goes_on_in_the_reserve(device):
    fill(device.disk)
    for _ in range(40):
        device.ledger.append("stop", reason="x" * 400)

    assert device.kinds() == ["stop"] * 40
    assert device.ears.told == ["spending"]
    assert device.log.verify().intact


def test_used_up_nothing_is_raised_nothing_is_armed_and_all_is_written_later(device):
    ballast = exhaust(device)
    written = len(device.kinds())
    device.ledger.append("disarm", reason="the disk is full")
    with pytest.raises(RefusedError, match="free some space"):
        device.ledger.append("arm", reason="again")
    device.ledger.catch_up()  # no space yet
    assert len(device.kinds()) == written
    ballast.unlink()
    assert device.reserve.take()
    device.ledger.catch_up()

    assert device.kinds()[written:] == ["late", "stop", "disarm"]
    kind, fields = device.records()[-3]
    assert (kind, fields["events"]) == ("late", 2)
    assert "only now" in fields["reason"]
    assert device.log.verify().intact
    device.ledger.append("arm", reason="again")
    assert device.kinds()[-1] == "arm"


def test_the_next_record_comes_after_those_that_wait(device):
    ballast = exhaust(device)
    ballast.unlink()
    device.reserve.take()
    device.ledger.append("start", session=4)
    assert device.kinds()[-3:] == ["late", "stop", "start"]


def test_a_thousand_are_kept_and_the_rest_counted(device):
    ballast = exhaust(device)
    for number in range(1005):
        device.ledger.append("alert", version=number)
    ballast.unlink()
    device.reserve.take()
    device.ledger.catch_up()

    assert device.kinds().count("alert") == 999
    assert device.records()[-1] == (
        "gap",
        {"events": 6, "reason": "the disk was full: so many records could not be kept"},
    )


def test_another_trouble_comes_through(tmp_path):
    reserve = Reserve(tmp_path / "reserve", 4096, StorageEars())
    (tmp_path / "audit").write_text("a file where the folder should be")
    ledger = ReservedLedger(AuditLog(tmp_path / "audit", FakeClock()), reserve)
    with pytest.raises(DiskError):
        ledger.append("stop", reason="")
