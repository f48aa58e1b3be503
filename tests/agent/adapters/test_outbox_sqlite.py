"""The outbox on a real file system, with real faults under it."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.errors import DataError, DiskError
from agent.messages import new_ulid
from agent.values import Monotonic, OutboxEntry, Wall
from tests.support.alerts import an_entry, ulid


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.sqlite"


@pytest.fixture
def open_outbox(path: Path) -> Iterator[Callable[[], SqliteOutbox]]:
    opened: list[SqliteOutbox] = []

    def begin() -> SqliteOutbox:
        opened.append(SqliteOutbox(path))
        return opened[-1]

    yield begin
    for outbox in opened:
        outbox.close()


def test_an_entry_survives_a_restart_byte_for_byte(open_outbox, path):
    entry = an_entry(1, payload=bytes(range(256)))
    first = open_outbox()
    first.put(entry)
    first.close()

    assert open_outbox().pending(10) == [entry]


def test_highest_priority_first_then_in_order_of_arrival(open_outbox):
    outbox = open_outbox()
    for number, priority in ((5, 0), (1, 0), (3, 9), (2, 9)):
        outbox.put(an_entry(number, priority=priority))

    assert [entry.id for entry in outbox.pending(10)] == [ulid(n) for n in (3, 2, 5, 1)]
    assert [entry.id for entry in outbox.pending(2)] == [ulid(3), ulid(2)]


def test_an_id_that_is_there_is_left_as_it_is(open_outbox):
    outbox = open_outbox()
    outbox.put(an_entry(1, payload=b"first"), cooldown=("s-1", Monotonic(100.0)))
    outbox.put(an_entry(1, payload=b"second"), cooldown=("s-1", Monotonic(999.0)))

    assert [entry.payload for entry in outbox.pending(10)] == [b"first"]
    assert outbox.cooldown("s-1") == (ulid(1), 100.0)


def test_the_cooldown_mark_outlives_its_alert(open_outbox):
    outbox = open_outbox()
    outbox.put(an_entry(1), cooldown=("s-1", Monotonic(160.0)))
    outbox.confirmed(ulid(1))
    outbox.close()

    again = open_outbox()
    assert again.cooldown("s-1") == (ulid(1), 160.0)
    assert again.cooldown("s-2") is None
    assert again.depth() == 0


def test_a_later_alert_moves_the_mark(open_outbox):
    outbox = open_outbox()
    outbox.put(an_entry(1), cooldown=("s-1", Monotonic(160.0)))
    outbox.put(an_entry(2), cooldown=("s-1", Monotonic(220.0)))

    assert outbox.cooldown("s-1") == (ulid(2), 220.0)


def test_marks_a_month_old_are_forgotten(open_outbox):
    outbox = open_outbox()

    def raised(day: int) -> OutboxEntry:
        at = 1_800_000_000.0 + day * 86_400
        event = new_ulid(wall_s=at, randomness=bytes(10))
        return replace(an_entry(day), id=event, created_at=Wall(at))

    outbox.put(raised(0), cooldown=("old", Monotonic(9e9)))  # of an earlier boot
    outbox.put(raised(2), cooldown=("recent", Monotonic(9.0)))
    outbox.put(raised(31), cooldown=("new", Monotonic(9.0)))

    assert outbox.cooldown("old") is None
    assert outbox.cooldown("recent") is not None


def test_the_marks_of_one_activation_are_found_by_prefix(open_outbox):
    outbox = open_outbox()
    for number, key in ((1, "a/s-1"), (2, "a/s_2"), (3, "b/s-1"), (4, "A/s-1")):
        outbox.put(an_entry(number), cooldown=(key, Monotonic(100.0 + number)))

    assert outbox.cooldowns("a/") == {"s-1": (ulid(1), 101.0), "s_2": (ulid(2), 102.0)}


def test_attempts_are_counted_and_parked_ones_kept_aside(open_outbox):
    outbox = open_outbox()
    for number in (1, 2):
        outbox.put(an_entry(number))
    outbox.attempted(ulid(1))
    outbox.attempted(ulid(1))
    outbox.park(ulid(2), "payload format invalid")

    assert [(entry.id, entry.attempts) for entry in outbox.pending(10)] == [(ulid(1), 2)]
    assert outbox.depth() == 2
    assert outbox.parked() == {ulid(2): "payload format invalid"}


def test_counters_grow_over_restarts(open_outbox):
    outbox = open_outbox()
    assert [outbox.count_up("session"), outbox.count_up("session")] == [1, 2]
    outbox.close()
    assert open_outbox().count_up("session") == 3


def test_only_the_owner_can_read_it(open_outbox, path):
    open_outbox().put(an_entry(1))

    modes = {part.name: part.stat().st_mode & 0o777 for part in path.parent.iterdir()}
    assert modes == dict.fromkeys(modes, 0o600)
    assert path.name + "-wal" in modes
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_commits_are_synced_to_the_write_ahead_log(open_outbox):
    db = open_outbox()._file.connection
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_many_threads_lose_nothing(open_outbox):
    outbox = open_outbox()

    def put_some(first: int) -> None:
        for number in range(first, first + 10):
            outbox.put(an_entry(number))

    threads = [threading.Thread(target=put_some, args=(n * 10,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {entry.id for entry in outbox.pending(100)} == {ulid(n) for n in range(40)}


KILLED_AFTER_COMMIT = """
import os, signal, sys
from pathlib import Path
from agent.adapters.outbox_sqlite import SqliteOutbox
from tests.support.alerts import an_entry
outbox = SqliteOutbox(Path(sys.argv[1]))
outbox.put(an_entry(1), cooldown=("s-1", 160.0))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_between_commit_and_send_it_is_still_pending(open_outbox, path):
    child = subprocess.run([sys.executable, "-c", KILLED_AFTER_COMMIT, str(path)], check=False)

    assert child.returncode == -9
    outbox = open_outbox()
    assert outbox.pending(10) == [an_entry(1)]
    assert outbox.cooldown("s-1") == (ulid(1), 160.0)
    assert outbox.set_aside is None


@pytest.mark.parametrize(("damage", "whole"), [("not_a_database", 50), ("broken_pages", 0)])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(open_outbox, path, damage, whole):
    outbox = open_outbox()
    for number in range(50):
        outbox.put(an_entry(number, payload=b"x" * 2000))
    outbox.close()
    content = bytearray(path.read_bytes())
    if damage == "not_a_database":
        content[:100] = b"\x00" * 100
    else:
        content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)

    fresh = open_outbox()

    aside = path.with_name("outbox.sqlite.corrupt-1")
    assert fresh.set_aside == aside
    assert aside.read_bytes() == content
    assert fresh.depth() == whole
    fresh.put(an_entry(51))
    assert fresh.depth() == whole + 1


def test_a_second_damaged_file_does_not_replace_the_first(open_outbox, path):
    for number in (1, 2):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"garbage %d " % number * 100)
        open_outbox().close()

    assert {p.name for p in path.parent.glob("*.corrupt-*")} == {
        "outbox.sqlite.corrupt-1",
        "outbox.sqlite.corrupt-2",
    }


def test_a_file_of_a_newer_agent_is_left_alone(open_outbox, path):
    open_outbox().close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()

    with pytest.raises(DataError, match="newer agent"):
        open_outbox()
    assert list(path.parent.glob("*.corrupt-*")) == []


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Every write beyond `size` bytes of a file fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_line_and_leaves_the_rest_intact(open_outbox, path):
    outbox = open_outbox()
    outbox.put(an_entry(1))
    wal = path.with_name(path.name + "-wal")
    with file_size_limit(wal.stat().st_size), pytest.raises(DiskError) as caught:
        outbox.put(an_entry(2, payload=b"x" * 50_000), cooldown=("s-1", Monotonic(160.0)))

    assert "\n" not in str(caught.value)
    assert "check free space" in str(caught.value)
    assert outbox.pending(10) == [an_entry(1)]
    assert outbox.cooldown("s-1") is None
    outbox.put(an_entry(3))
    assert outbox.depth() == 2


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    with pytest.raises(DiskError, match=r"outbox /proc/nowhere/outbox.sqlite: "):
        SqliteOutbox(Path("/proc/nowhere/outbox.sqlite"))
    folder = tmp_path / "outbox.sqlite"
    folder.mkdir()
    with pytest.raises(DiskError, match=r"(?i)is a directory"):
        SqliteOutbox(folder)


def test_purged_events_are_gone_from_every_byte_of_the_disk(tmp_path):
    outbox = SqliteOutbox(tmp_path / "outbox.sqlite")
    outbox.put(an_entry(1, payload=b'{"tag":"aa","x":"first secret"}'))
    outbox.put(an_entry(2, payload=b'{"tag":"bb","x":"other"}'))
    outbox.put(an_entry(3, payload=b'{"tag":"aa","x":"third secret"}'))
    outbox.park(an_entry(3).id, "refused")
    assert any(b"secret" in path.read_bytes() for path in tmp_path.iterdir())
    assert outbox.purge(b'{"tag":"aa"') == 2
    assert not any(b"secret" in path.read_bytes() for path in tmp_path.iterdir())
    assert [entry.id for entry in outbox.pending(9)] == [an_entry(2).id]
    assert outbox.counts().given_up == 0
    with pytest.raises(ValueError, match="everything"):
        outbox.purge(b"")
    outbox.close()
