"""Outboxes with broken pages: set aside, and everything whole taken over."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.delivery import gap_entry
from agent.errors import DiskError
from agent.values import Monotonic, OutboxEntry
from tests.support.alerts import CONTEXT, an_entry, ulid
from tests.support.clocks import FakeClock
from tests.support.outboxes import PAGE, leaves, old_outbox, pages, spoil

COUNT = 60


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


@pytest.fixture
def reopen(path: Path) -> Iterator[Callable[[], SqliteOutbox]]:
    opened: list[SqliteOutbox] = []

    def begin() -> SqliteOutbox:
        opened.append(SqliteOutbox(path, clock=FakeClock(), boot="this"))
        return opened[-1]

    yield begin
    for outbox in opened:
        outbox.close()


@pytest.fixture
def full(reopen: Callable[[], SqliteOutbox]) -> list[OutboxEntry]:
    """Sixty events over a few dozen pages; the fifth parked, the sixth tried, ten delivered."""
    outbox = reopen()
    entries = [an_entry(n, payload=bytes([n]) * 1500, priority=n % 3) for n in range(COUNT)]
    entries[20] = an_entry(20, payload=b"long" * 5000)
    for entry in entries:
        outbox.put(entry, cooldown=(f"A/s-{entry.id[-2:]}", Monotonic(1_800_000_500.0)))
    outbox.park(ulid(5), "0x99")
    outbox.attempted(ulid(6))
    for number in range(40, 50):
        outbox.confirmed(ulid(number))
    outbox.count_up("session")
    outbox.close()
    return [entry for n, entry in enumerate(entries) if not 40 <= n < 50]


def payloads(outbox: SqliteOutbox) -> dict[str, bytes]:
    outbox.unpark()
    return {entry.id: entry.payload for entry in outbox.pending(100)}


def the_gap(outbox: SqliteOutbox) -> dict:
    made: list[OutboxEntry] = []

    def make(gap: object) -> OutboxEntry:
        made.append(gap_entry(gap, CONTEXT, event_id=ulid(999), test=True, now=1.8e9))
        return made[0]

    assert outbox.report_gap(make) == ulid(999)
    return json.loads(made[0].payload)["data"]


def test_a_broken_leaf_costs_its_own_rows_and_they_are_counted(full, path, reopen):
    spoil(path, leaves(path, "entry")[7])
    outbox = reopen()

    (salvage,) = outbox.salvages
    kept = payloads(outbox)
    assert 1 <= salvage.lost <= 2
    assert salvage.recovered == len(kept) == len(full) - salvage.lost
    assert salvage.exact
    assert kept.items() <= {entry.id: entry.payload for entry in full}.items()
    lost = [n for n in range(COUNT) if ulid(n) in {e.id for e in full} - kept.keys()]
    gap = the_gap(outbox)
    assert gap["by_reason"]["damaged"] == gap["events"] == salvage.lost
    assert gap["exact"] is True
    assert gap["first"] == f"2027-01-15T08:00:00.{lost[0]:03d}Z"


@pytest.mark.parametrize("what", ["root of the table", "first page", "root and id index"])
def test_rows_that_no_tree_leads_to_are_found_by_their_checksums(full, path, reopen, what):
    numbers = pages(path)
    spoil(path, *{
        "root of the table": [numbers["entry"][0]],
        "first page": [1],
        "root and id index": [numbers["entry"][0], *numbers["sqlite_autoindex_entry_1"]],
    }[what])  # fmt: skip
    outbox = reopen()

    assert payloads(outbox) == {entry.id: entry.payload for entry in full}
    assert outbox.salvages[0].lost == 0
    assert outbox.cooldown("A/s-05") == (ulid(5), 1_800_000_500.0)
    assert outbox.count_up("session") == 2


def test_a_broken_index_costs_nothing_and_is_no_gap(full, path, reopen):
    spoil(path, *pages(path)["entry_weight"])
    outbox = reopen()

    assert payloads(outbox) == {entry.id: entry.payload for entry in full}
    assert (outbox.salvages[0].lost, outbox.salvages[0].exact) == (0, True)
    assert outbox.counts().given_up == 0


def test_what_was_parked_tried_and_marked_stays_so(full, path, reopen):
    spoil(path, leaves(path, "entry")[9])
    outbox = reopen()

    assert outbox.parked() == {ulid(5): "0x99"}
    assert {e.id for e in outbox.pending(100) if e.attempts} == {ulid(6)}
    assert outbox.cooldown("A/s-0A") == (ulid(10), 1_800_000_500.0)
    assert [e.at for e in outbox.pending(1)] == [0.0]


def test_nothing_to_read_at_all_is_a_gap_of_which_nobody_knows_the_size(full, path, reopen):
    path.write_bytes(b"\xa5" * path.stat().st_size)
    outbox = reopen()

    assert outbox.depth() == 0
    assert the_gap(outbox) | {"by_reason": 0} == {
        "first": "2027-01-15T08:00:00.000Z",
        "last": "2027-01-15T08:00:00.000Z",
        "events": 1,
        "by_reason": 0,
        "exact": False,
        "test": True,
    }


def test_damage_found_while_running_is_handled_there_and_then(full, path, reopen):
    outbox = reopen()
    told = []
    outbox._on_salvage = told.append
    victim = leaves(path, "entry")[3]
    spoil(path, victim)
    content = path.read_bytes()
    outbox._file.connection.execute("PRAGMA shrink_memory")  # it had read them all

    seen = {entry.id for entry in outbox.pending(100)}
    outbox.put(an_entry(70))
    assert told == outbox.salvages
    assert path.with_name("outbox.sqlite.corrupt-1").read_bytes() == content
    assert seen == {entry.id for entry in outbox.pending(100)} - {ulid(70)}
    assert len(seen) >= len(full) - 3


def test_a_flipped_bit_in_a_payload_is_never_sent(full, path, reopen):
    content = bytearray(path.read_bytes())
    place = content.index(bytes([33]) * 1500)
    content[place + 700] ^= 0x10
    path.write_bytes(content)
    outbox = reopen()
    assert outbox.salvages == []  # SQLite has no checksum to see it by

    assert ulid(33) not in payloads(outbox)
    assert (outbox.salvages[0].lost, outbox.depth()) == (1, len(full) - 1)


def test_an_old_format_is_salvaged_too(path, reopen):
    old_outbox(path)
    spoil(path, *pages(path)["entry_order"])
    outbox = reopen()

    assert outbox.depth() == 4
    assert outbox.cooldowns("A/").keys() == {"s-9", "s-5"}
    assert outbox.count_up("session") == 13


def test_the_log_not_yet_in_the_file_is_read_as_well(path, reopen):
    outbox = reopen()
    outbox.put(an_entry(1))
    outbox._file.run(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    for number in range(2, 40):
        outbox.put(an_entry(number, payload=b"x" * 1000))
    spoil(path, 1)
    spare = path.with_name("copy.sqlite")
    for suffix in ("", "-wal"):
        spare.with_name(spare.name + suffix).write_bytes(
            path.with_name(path.name + suffix).read_bytes()
        )

    again = SqliteOutbox(spare)
    assert {entry.id for entry in again.pending(100)} == {ulid(n) for n in range(1, 40)}
    again.close()


def test_killed_between_the_two_renames_the_new_file_is_taken(full, path, reopen):
    spoil(path, leaves(path, "entry")[7])
    outbox = reopen()
    expected = payloads(outbox)
    outbox.close()
    path.rename(path.with_name(path.name + ".new"))

    assert payloads(reopen()) == expected


def test_killed_before_that_it_begins_again(full, path, reopen):
    path.with_name(path.name + ".new").write_bytes(b"half of it")
    spoil(path, leaves(path, "entry")[7])
    outbox = reopen()

    assert outbox.depth() >= len(full) - 2
    assert not path.with_name(path.name + ".new").exists()


def test_the_session_number_survives_the_loss_of_the_database_and_of_its_file(path, reopen):
    outbox = reopen()
    assert [outbox.count_up("session") for _ in range(3)] == [1, 2, 3]
    outbox.close()
    path.write_bytes(b"\xa5" * PAGE)
    outbox = reopen()
    assert outbox.count_up("session") == 4
    outbox.close()
    path.with_name(path.name + ".counters").write_bytes(b"{torn")
    assert reopen().count_up("session") == 5


def test_no_room_to_begin_anew_moves_nothing(full, path, monkeypatch):
    spoil(path, leaves(path, "entry")[7])
    content = path.read_bytes()
    path.with_name(path.name + ".new").mkdir()

    with pytest.raises(DiskError):
        SqliteOutbox(path)
    assert path.read_bytes() == content
    assert list(path.parent.glob("*.corrupt-*")) == []


def test_sqlite_here_overwrites_what_is_deleted(path, reopen):
    outbox = reopen()
    outbox.put(an_entry(1, payload=b"a secret of nobody"))
    outbox.confirmed(ulid(1))
    outbox.tidy()

    for part in path.parent.iterdir():
        assert b"a secret of nobody" not in part.read_bytes()
    outbox.put(an_entry(2, payload=b"a secret of nobody"))
    written = b"".join(part.read_bytes() for part in path.parent.iterdir())
    assert b"a secret of nobody" in written  # the control
    assert outbox._file.read("PRAGMA secure_delete") == [(1,)]


def test_a_database_without_its_tables_is_damage(path, reopen):
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 2")
    db.close()

    assert reopen().salvages[0].recovered == 0


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_overwritten_it_opens_and_says_nothing_false(full, path, seed):
    chance = random.Random(seed)
    content = bytearray(path.read_bytes())
    for _ in range(chance.randrange(1, 12)):
        at = chance.randrange(len(content))
        length = chance.choice([1, 8, 512, 4096])
        content[at : at + length] = chance.randbytes(length)[: len(content) - at]
    path.write_bytes(content)
    outbox = SqliteOutbox(path, clock=FakeClock(), boot="this")

    kept = payloads(outbox)
    outbox.put(an_entry(99))
    outbox.confirmed(*kept)
    assert kept.items() <= {entry.id: entry.payload for entry in full}.items()
    assert [entry.id for entry in outbox.pending(100)] == [ulid(99)]
    missing = len(full) - len(kept)
    assert outbox.counts().given_up >= min(missing, 1)
    outbox.close()
