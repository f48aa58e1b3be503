"""The outbox on SQLite: an event is on disk before anybody says so."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent.adapters.activation_file import BOOT_ID
from agent.adapters.clock import SystemClock
from agent.adapters.outbox_bounds import (
    add_gap,
    forget_marks_before,
    give_up,
    give_way,
    keep_within,
    read_gap,
)
from agent.adapters.outbox_counters import Counters
from agent.adapters.outbox_file import OutboxFile
from agent.adapters.outbox_rescue import Rescue, Salvage, forget_aside
from agent.adapters.outbox_schema import checksum
from agent.adapters.reserve import Reserve
from agent.errors import DiskError
from agent.ports import Clock
from agent.ports.outbox import TOLD
from agent.values import Gap, Loss, Monotonic, OutboxCounts, OutboxEntry, Wall

__all__ = ["Salvage", "SqliteOutbox"]

_KEEP_COOLDOWNS_S = 30 * 86_400.0
_ROW = "id, topic, payload, priority, created_at, gap, boot, at, sum, attempts"
_LIVE = "parked IS NULL AND boot = ? AND at > ?"
_HISTORICAL = "parked IS NULL AND (boot <> ? OR at IS NULL OR at <= ?)"
_ORDER = "ORDER BY priority DESC, seq LIMIT ?"
_COUNTS = (
    "SELECT count(*), (SELECT count(*) FROM entry WHERE parked IS NOT NULL AND priority >= 0),"
    " total(size), (SELECT total(events) FROM given_up) FROM entry WHERE priority >= 0"
)
"""Each from an index: events are large, and this is asked often."""
_INSERT = (
    "INSERT OR IGNORE INTO entry"
    " (id, topic, payload, priority, created_at, gap, boot, at, sum, size)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class SqliteOutbox:
    """Durable events in one SQLite file; implements `agent.ports.Outbox`.

    Safe to use from several threads. Age is the order of `put`, so that a jump of the wall clock
    does not reorder events; how old an event of this boot is, the monotonic clock tells. The file
    has permissions 0600, and its folder 0700 when made here. Counters stand in a file beside it
    too, so that they never go back.

    Args:
        path: of the database. A damaged one, at opening or later, is set aside as
            `<path>.corrupt-<n>`, never deleted; what is whole in it is taken over.
        clock: gives entries their monotonic time.
        boot: names this boot; None: the kernel's name for it.
        max_events, max_bytes: bounds of what is kept, bytes of payload.
        reserve: let go when the disk is full; None: a full disk raises DiskError.
        on_salvage: told of each damaged file, for the log; must not call the outbox.

    Raises:
        DiskError: the file cannot be opened, read or written.
        DataError: a newer agent made it.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock | None = None,
        boot: str | None = None,
        max_events: int = 10_000,
        max_bytes: int = 64_000_000,
        reserve: Reserve | None = None,
        on_salvage: Callable[[Salvage], None] | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._boot = _this_boot() if boot is None else boot
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._reserve = reserve
        self._on_salvage = on_salvage
        self._path = path
        self._noting = threading.Lock()
        self._unwritten: list[Gap] = []
        self._untidy = True
        self.salvages: list[Salvage] = []
        self._file = OutboxFile(path, reserve, Rescue(self._clock.wall), self._salvaged)
        self._counters = Counters(self._file, path.with_name(path.name + ".counters"), reserve)

    @property
    def set_aside(self) -> Path | None:
        """Where a damaged database was moved; None when there was none. See `salvages`."""
        return self.salvages[0].aside if self.salvages else None

    def close(self) -> None:
        self._file.close()

    def put(
        self,
        entry: OutboxEntry,
        *,
        cooldown: tuple[str, Monotonic] | None = None,
        told: tuple[str, Wall] | None = None,
    ) -> bool:
        """As the port; a full disk raises only when there is no reserve."""

        def work(db: sqlite3.Connection) -> bool:
            self._note_unwritten(db)
            if self._insert(db, entry):
                if cooldown is not None:
                    _mark(db, entry, *cooldown)
                if told is not None:
                    _mark(db, entry, f"{told[0]}{entry.id}", told[1])
                if self._file.scarce:
                    give_way(db, Loss.DISK_FULL, size=len(entry.payload))
            keep_within(db, max_events=self._max_events, max_bytes=self._max_bytes)
            return _is_there(db, entry.id)

        self._untidy = True
        with self._noting:
            try:
                kept = self._file.write(work, may_displace=True)
            except DiskError as error:
                if self._reserve is None or not self._reserve.is_full(error):
                    raise
                moment = entry.created_at
                self._unwritten.append(Gap(moment, moment, {Loss.DISK_FULL: 1}))
                return False
            self._unwritten.clear()
        return kept

    def cooldown(self, key: str) -> tuple[str, Monotonic] | None:
        rows = self._file.read("SELECT id, until FROM cooldown WHERE key = ?", (key,))
        return (rows[0][0], Monotonic(rows[0][1])) if rows else None

    def cooldowns(self, prefix: str) -> dict[str, tuple[str, Monotonic]]:
        """Every mark whose key begins with `prefix`, by the rest of the key."""
        rows = self._file.read(
            "SELECT substr(key, ?), id, until FROM cooldown WHERE substr(key, 1, ?) = ?",
            (len(prefix) + 1, len(prefix), prefix),
        )
        return {key: (event, Monotonic(until)) for key, event, until in rows}

    def pending(self, limit: int, *, live_since: Monotonic | None = None) -> list[OutboxEntry]:
        """As the port. A row that is not what was put is damage, and is never handed out."""
        cut = (self._boot, float("inf") if live_since is None else live_since)

        def work(db: sqlite3.Connection) -> list[OutboxEntry]:
            entries: list[OutboxEntry] = []
            for which in (_LIVE, _HISTORICAL):
                query = f"SELECT {_ROW} FROM entry WHERE {which} {_ORDER}"  # noqa: S608 - constants
                rows = db.execute(query, (*cut, limit - len(entries)))
                entries += [self._entry(row) for row in rows]
            return entries

        return self._file.run(work)

    def present(self, ids: Collection[str]) -> set[str]:
        def work(db: sqlite3.Connection) -> set[str]:
            query = "SELECT 1 FROM entry WHERE id = ? AND parked IS NULL"
            return {event for event in ids if db.execute(query, (event,)).fetchone()}

        return self._file.run(work)

    def depth(self) -> int:
        count: int = self._file.read("SELECT count(*) FROM entry WHERE priority >= 0")[0][0]
        return count

    def counts(self) -> OutboxCounts:
        row = self._file.read(_COUNTS)[0]
        unwritten = sum(gap.events for gap in self._unwritten)
        return OutboxCounts(row[0], row[1], int(row[2]), int(row[3]) + unwritten)

    def parked(self) -> dict[str, str]:
        """Ids of refused entries, each with the reason given."""
        return dict(self._file.read("SELECT id, parked FROM entry WHERE parked IS NOT NULL"))

    def attempted(self, *ids: str) -> None:
        self._for_each("UPDATE entry SET attempts = attempts + 1 WHERE id = ?", ids)

    def confirmed(self, *ids: str) -> set[str]:
        return self._for_each("DELETE FROM entry WHERE id = ?", ids)

    def park(self, entry_id: str, reason: str) -> None:
        query = "UPDATE entry SET parked = ? WHERE id = ?"
        self._file.write(lambda db: db.execute(query, (reason, entry_id)))

    def unpark(self, entry_id: str | None = None) -> int:
        query = "UPDATE entry SET parked = NULL WHERE parked IS NOT NULL AND id = coalesce(?, id)"
        return self._file.write(lambda db: db.execute(query, (entry_id,)).rowcount)

    def purge(self, part: bytes, *, at: int = 0) -> int:
        """Erase what must not exist any more, parked or not. No gap event tells of it.

        Args:
            part: of the payload of what is erased, and of no other; not empty.
            at: where in the payload it stands, bytes from the beginning.

        Returns: how many there were; no file of ours holds anything of them any more.
        """
        if not part:
            raise ValueError("part: empty, which would be everything")
        query, values = (
            "DELETE FROM entry WHERE substr(payload, ?, ?) = ?",
            (at + 1, len(part), part),
        )
        count = self._file.write(lambda db: db.execute(query, values).rowcount)
        self._empty_log()
        return count

    def forget_marks(self, *, but: str) -> None:
        """Erase the cool-down marks of every activation but the one whose keys begin so. What
        counts events by subject and day stays: it begins with `TOLD`.
        """
        query = "DELETE FROM cooldown WHERE substr(key, 1, ?) <> ? AND substr(key, 1, ?) <> ?"
        values = (len(but), but, len(TOLD), TOLD) if but else (1, "/", len(TOLD), TOLD)
        self._file.write(lambda db: db.execute(query, values))
        self._empty_log()

    def expire(self, *, put_before: Monotonic, created_before: Wall) -> int:
        query = (
            "SELECT seq FROM entry WHERE NOT gap AND priority >= 0 AND ((boot = ? AND at <= ?)"
            " OR ((boot <> ? OR at IS NULL) AND created_at <= ?))"
        )
        values = (self._boot, put_before, self._boot, created_before)
        chosen = [seq for (seq,) in self._file.read(query, values)]
        if not chosen:
            return 0
        count = self._file.write(lambda db: give_up(db, Loss.EXPIRED, chosen))
        self._empty_log()
        return count

    def forget_old(self, before: Wall) -> int:
        """As the port; files that were set aside are as old as the last write to them."""
        if self._file.write(lambda db: forget_marks_before(db, before)):
            self._empty_log()
        return forget_aside(self._path, before)

    def report_gap(self, make: Callable[[Gap], OutboxEntry]) -> str | None:
        """As the port. Events that not even a full disk's reserve could hold are in it, too."""
        told = "SELECT (SELECT count(*) FROM given_up), (SELECT count(*) FROM entry WHERE gap)"
        waiting, reported = self._file.read(told)[0]
        if reported or not (waiting or self._unwritten):
            return None

        def work(db: sqlite3.Connection) -> str | None:
            self._note_unwritten(db)
            gap = read_gap(db)
            if gap is None:
                return None
            entry = make(gap)
            self._insert(db, entry)
            db.execute("DELETE FROM given_up")
            return entry.id

        with self._noting:
            event = self._file.write(work)
            self._unwritten.clear()
        return event

    def tidy(self) -> None:
        """Empty the write-ahead log, which still holds what was erased from the database."""
        if self._untidy and not self.depth():
            self._empty_log()
            self._untidy = False

    def count_up(self, key: str) -> int:
        """Add one to a named counter, from 0, and return it; the session number is one."""
        return self._counters.count_up(key)

    def _salvaged(self, salvage: Salvage) -> None:
        self.salvages.append(salvage)
        if self._on_salvage is not None:
            self._on_salvage(salvage)

    def _empty_log(self) -> None:
        """It still holds what was erased from the database."""
        self._file.run(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())

    def _insert(self, db: sqlite3.Connection, entry: OutboxEntry) -> bool:
        at = self._clock.monotonic() if entry.at is None else entry.at
        content = (
            entry.id, entry.topic, entry.payload, entry.priority, float(entry.created_at),
            int(entry.gap), self._boot, float(at),
        )  # fmt: skip
        values = (*content, checksum(*content), len(entry.payload))
        return db.execute(_INSERT, values).rowcount > 0

    def _entry(self, row: tuple[Any, ...]) -> OutboxEntry:
        *content, total, attempts = row
        event, topic, payload, priority, created_at, gap, boot, at = content
        if checksum(*content) != total:
            raise sqlite3.DatabaseError(f"row {event} is malformed")
        return OutboxEntry(
            event, topic, payload, priority, Wall(created_at), attempts,
            at=Monotonic(at) if boot == self._boot and at is not None else None, gap=bool(gap),
        )  # fmt: skip

    def _note_unwritten(self, db: sqlite3.Connection) -> None:
        """What could not even be counted on the full disk; forgotten once this is committed."""
        for gap in self._unwritten:
            add_gap(db, gap)

    def _for_each(self, query: str, ids: tuple[str, ...]) -> set[str]:
        """Execute for each id in one transaction; the ids that were there."""

        def work(db: sqlite3.Connection) -> set[str]:
            return {event for event in ids if db.execute(query, (event,)).rowcount}

        return self._file.write(work) if ids else set()


def _mark(db: sqlite3.Connection, entry: OutboxEntry, key: str, until: float) -> None:
    db.execute("INSERT OR REPLACE INTO cooldown VALUES (?, ?, ?)", (key, entry.id, until))
    forget_marks_before(db, Wall(entry.created_at - _KEEP_COOLDOWNS_S))


def _is_there(db: sqlite3.Connection, event: str) -> bool:
    return db.execute("SELECT 1 FROM entry WHERE id = ?", (event,)).fetchone() is not None


def _this_boot() -> str:
    """The kernel's name for this boot; without one, every start counts as a boot."""
    with suppress(OSError):
        return BOOT_ID.read_text().strip()
    return os.urandom(8).hex()
