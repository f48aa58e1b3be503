from __future__ import annotations

import hashlib
import json
import stat
import subprocess
import sys

import pytest

from agent.adapters.audit_log import AuditLog
from agent.errors import DataError, DiskError
from tests.support.clocks import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def log(tmp_path, clock):
    return AuditLog(tmp_path / "audit", clock)


def records(log):
    return [json.loads(line) for line in log.lines()]


def test_before_the_first_record_the_log_is_whole_and_nothing_is_made(log):
    assert (log.verify().records, log.lines()) == (0, [])
    assert not log.path.parent.exists()


def test_records_are_appended_with_the_time_of_the_clock(log, clock):
    log.append("enrol", list="l", version=1)
    clock.advance(1.5)
    link = log.append("remove", list="l", version=2)
    assert [(one["seq"], one["kind"], one["time"]) for one in records(log)] == [
        (0, "enrol", "2027-01-15T08:00:00.000Z"),
        (1, "remove", "2027-01-15T08:00:01.500Z"),
    ]
    report = log.verify()
    assert (report.intact, report.records, report.head) == (True, 2, link)


def test_only_the_owner_may_read(log):
    log.append("enrol")
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.path.parent.stat().st_mode) == 0o700


def test_the_last_lines(log):
    for version in range(5):
        log.append("enrol", version=version)
    assert [json.loads(line)["fields"]["version"] for line in log.lines(2)] == [3, 4]
    assert len(log.lines(99)) == 5


@pytest.mark.parametrize("torn", [b'{"fields":{},"ha', b"\x00\x00\x00", b"{"])
def test_a_torn_line_is_cut_off_and_recorded(log, torn):
    log.append("enrol", version=1)
    with log.path.open("ab") as stream:
        stream.write(torn)
    assert log.verify().torn
    log.append("remove", version=2)
    assert [one["kind"] for one in records(log)] == ["enrol", "torn", "remove"]
    digest = hashlib.sha256(torn).hexdigest()
    assert records(log)[1]["fields"] == {"bytes": len(torn), "sha256": digest}
    report = log.verify()
    assert (report.intact, report.torn, report.records) == (True, False, 3)


def test_a_first_line_torn(log):
    log.path.parent.mkdir()
    log.path.write_bytes(b'{"fie')
    log.append("enrol")
    assert [one["kind"] for one in records(log)] == ["torn", "enrol"]


@pytest.mark.parametrize("last", [b"{}\n", b"x" * 40_000 + b"\n", b"y" * 40_000])
def test_nothing_is_added_to_a_broken_chain(log, last):
    log.append("enrol")
    with log.path.open("ab") as stream:
        stream.write(last)
    before = log.path.read_bytes()
    with pytest.raises(DataError, match="audit verify") as caught:
        log.append("enrol")
    assert "\n" not in str(caught.value)
    assert log.path.read_bytes() == before
    report = log.verify()
    assert (report.intact, report.records) == (False, 1)


def test_what_may_not_be_recorded_leaves_the_log_alone(log):
    log.append("enrol")
    with pytest.raises(ValueError, match="may not be recorded"):
        log.append("enrol", name="Erika")
    assert log.verify().records == 1


def test_a_change_in_the_middle_is_found(log):
    for version in range(3):
        log.append("enrol", version=version)
    log.path.write_bytes(log.path.read_bytes().replace(b'"version":1', b'"version":7'))
    assert log.verify().problem == "record 1: its hash does not agree with its content"


def test_a_folder_that_cannot_be_made(tmp_path, clock):
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match="nothing was recorded"):
        AuditLog(tmp_path / "file" / "audit", clock).append("enrol")


@pytest.mark.slow
def test_writers_in_several_processes_make_one_chain(log):
    code = (
        "import sys; from pathlib import Path\n"
        "from agent.adapters.audit_log import AuditLog\n"
        "from agent.adapters.clock import SystemClock\n"
        "log = AuditLog(Path(sys.argv[1]), SystemClock())\n"
        "for _ in range(50): log.append('enrol', version=1)\n"
    )
    command = [sys.executable, "-c", code, str(log.path.parent)]
    writers = [subprocess.Popen(command) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    report = log.verify()
    assert (report.intact, report.records) == (True, 150)
