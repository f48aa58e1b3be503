from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import subprocess
import sys
import time

import pytest

from agent.adapters.audit_log import AuditLog
from agent.errors import DataError, DiskError
from tests.support.auditing import key_of, script, whole
from tests.support.clocks import FakeClock
from tests.support.small_disk import fill, small_disk


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


def filled(log, files=4):
    for number in range(files):
        log.append("enrol", version=number)
        log.checkpoint(key_of(), file_bytes=1)
    return log


def test_a_full_file_is_finished_and_the_next_begins_with_a_checkpoint(log):
    filled(log)
    files = sorted(log.path.parent.glob("audit-*.jsonl"))
    assert [one.name for one in files] == [
        "audit-0000000000000000.jsonl",
        "audit-0000000000000001.jsonl",
        "audit-0000000000000003.jsonl",
        "audit-0000000000000005.jsonl",
    ]
    everything = b"".join(one.read_bytes() for one in [*files, log.path])
    assert everything == b"".join(line + b"\n" for line in log.lines())
    for file in [*files[1:], log.path]:
        assert json.loads(file.read_bytes().splitlines()[0])["kind"] == "checkpoint"
    assert all(stat.S_IMODE(one.stat().st_mode) == 0o600 for one in files)
    report = log.verify()
    assert (report.intact, report.records, report.protected) == (True, 8, 6)
    assert log.head() == report.head
    assert len(log.lines(3)) == 3


def test_a_finished_file_that_is_missing_or_swapped_is_found(log):
    filled(log)
    second, third = sorted(log.path.parent.glob("audit-*.jsonl"))[1:3]
    kept = second.read_bytes()
    second.unlink()
    assert "record 1 is missing" in log.verify().problem
    second.write_bytes(third.read_bytes())
    assert not log.verify().intact
    second.write_bytes(kept)
    assert log.verify().intact


def test_a_kill_during_a_rotation_loses_nothing(log, monkeypatch):
    """After the growing file got its second name, and before the new one took its place."""
    log.append("enrol", version=1)
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            log.checkpoint(key_of(), file_bytes=1)
    assert (log.verify().intact, log.verify().records) == (True, 1)
    log.append("enrol", version=2)
    log.checkpoint(key_of(), file_bytes=1)
    report = log.verify()
    assert (report.intact, report.records, report.protected) == (True, 3, 1)
    assert len(list(log.path.parent.glob("audit-*.jsonl"))) == 1


def test_a_file_system_without_links_keeps_one_file(log, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    filled(log)
    assert [one.name for one in log.path.parent.iterdir()] == ["audit.jsonl"]
    assert log.verify().protected == 6


def test_a_kill_before_a_file_is_deleted_leaves_a_whole_log(log, monkeypatch):
    filled(log)
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.unlink", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            log.prune(1, 1000, key_of())
    assert (log.verify().intact, log.verify().first) == (True, 0)
    log.prune(1, 1000, key_of())
    report = log.verify()
    assert report.intact
    assert report.first > 0


def test_a_kill_between_two_deletions_leaves_a_whole_log(log, monkeypatch):
    """More is left than the log says was given up, which is no tampering."""
    filled(log)
    deleted = []

    def unlink(path):
        if deleted:
            raise KeyboardInterrupt
        deleted.append(path)
        os.unlink(path)  # noqa: PTH108 -- that one is patched

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.unlink", unlink)
        with pytest.raises(KeyboardInterrupt):
            log.prune(1, 1000, key_of())
    report = log.verify()
    assert (report.intact, report.first) == (True, 1)
    assert "whole" in script().check(whole(log))


def test_the_growing_file_deleted_does_not_begin_a_log_anew(log):
    filled(log)
    log.append("enrol", version=8)
    log.path.unlink()
    assert log.append("enrol", version=9).seq == 7
    assert log.verify().intact  # only anchors tell that records are gone


def test_a_link_in_its_place_is_refused(log, tmp_path):
    log.append("enrol")
    other = tmp_path / "other"
    other.write_bytes(log.path.read_bytes())
    log.path.unlink()
    log.path.symlink_to(other)
    with pytest.raises(DiskError):
        log.append("enrol")


def test_writers_that_rotate_at_the_same_time_lose_nothing(tmp_path):
    code = (
        "import sys;from pathlib import Path;from agent.adapters.audit_log import AuditLog;"
        "from agent.adapters.clock import SystemClock;from tests.support.auditing import key_of;"
        "log=AuditLog(Path(sys.argv[1]),SystemClock());"
        "[(log.append('enrol',version=n),log.checkpoint(key_of(),600)) for n in range(40)]"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]
    assert [one.wait(60) for one in workers] == [0, 0, 0]
    report = AuditLog(tmp_path, FakeClock()).verify()
    assert (report.intact, report.records) == (True, 240)
    assert len(list(tmp_path.glob("audit-*.jsonl"))) > 10


@pytest.mark.slow
def test_kills_at_any_moment_leave_a_whole_log_that_only_grows(tmp_path):
    code = (
        "import sys;from pathlib import Path;from agent.adapters.audit_log import AuditLog;"
        "from agent.adapters.clock import SystemClock;from tests.support.auditing import key_of;"
        "log=AuditLog(Path(sys.argv[1]),SystemClock());print('on',flush=True)\n"
        "while True: log.append('enrol');log.checkpoint(key_of(),700);"
        "log.prune(8000,1<<40,key_of())"
    )
    head = -1
    for number in range(12):
        worker = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert worker.stdout.readline() == "on\n"
        time.sleep(0.02 + 0.013 * number)
        worker.kill()
        worker.wait()
        worker.stdout.close()
        log = AuditLog(tmp_path, FakeClock())
        report = log.verify()
        assert report.intact, report.problem
        assert f"whole up to record {report.head.seq};" in script().check(whole(log))
        assert report.head.seq >= head
        head = report.head.seq
    assert report.first > 0


def test_nobody_who_writes_waits_for_one_who_reads(log):
    filled(log, 3)
    log.append("enrol", version=7)
    with log._reading() as lines:
        first = next(lines)
        log.append("enrol", version=8)
        log.checkpoint(key_of(), file_bytes=1)
        log.prune(1, 1000, key_of())
        seen = [first, *lines]
    assert [json.loads(line)["seq"] for line in seen] == list(range(7))
    assert log.verify().first > 0


def test_a_reader_of_a_torn_log_sees_what_was_there(log):
    log.append("enrol", version=1)
    with log.path.open("ab") as stream:
        stream.write(b'{"fields"')
    with log._reading() as lines:
        first = next(lines)
        log.append("enrol", version=2)  # cuts the torn line off
        assert list(lines) == [b'{"fields"']
    assert json.loads(first)["seq"] == 0


def test_a_full_disk_leaves_no_torn_line(tmp_path):
    with small_disk(tmp_path, 64) as place:
        log = AuditLog(place / "audit", FakeClock())
        log.append("enrol", version=1)
        fill(place, spare=100)
        for _ in range(20):
            with contextlib.suppress(DiskError):
                log.append("disarm", reason="x" * 400)
        assert not log.verify().torn
        with pytest.raises(DiskError):
            log.append("disarm", reason="x" * 400)
        with pytest.raises(DiskError):
            log.checkpoint(key_of())
        report = log.verify()
        assert (report.intact, report.torn) == (True, False)
        assert b'"torn"' not in log.path.read_bytes()
