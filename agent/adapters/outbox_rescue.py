"""A new outbox made of a damaged one. Killed at any moment, it begins again or is done."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from agent.adapters.outbox_bounds import add_gap
from agent.adapters.outbox_salvage import COLUMNS, Remains, Row, read_remains
from agent.adapters.outbox_schema import checksum, connect
from agent.adapters.private_files import sync_directory
from agent.errors import DiskError
from agent.messages import ulid_wall_s
from agent.values import Gap, Loss, Wall

_INSERT = (
    f"INSERT OR IGNORE INTO entry ({', '.join(COLUMNS)}, size)"  # noqa: S608 - constants
    f" VALUES ({', '.join('?' * len(COLUMNS))}, ?)"
)
_COOLDOWN = (
    "INSERT INTO cooldown VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE"
    " SET id = excluded.id, until = excluded.until WHERE excluded.until > until"
)
_META = "INSERT OR IGNORE INTO meta VALUES (?, ?)"
_LOG = ("-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Salvage:
    """What became of a damaged outbox.

    Attributes:
        aside: where it was moved; it stays as long as alerts may be kept.
        recovered: events that were taken over into the new one.
        lost: events that could not be.
        exact: False when nobody can tell whether there were more.
    """

    aside: Path
    recovered: int
    lost: int
    exact: bool


class Rescue:
    """Makes a new outbox of what is whole in a damaged one.

    The new one is written beside it and complete before the damaged one is moved aside.

    Args:
        wall: the wall clock, for the time of losses that nothing else tells.
    """

    def __init__(self, wall: Callable[[], Wall]) -> None:
        self._wall = wall

    def run(self, path: Path) -> Salvage:
        """Put the damaged database aside as `<path>.corrupt-<n>`, and a new one in its place.

        Raises:
            OSError, sqlite3.Error: there is no room for it, for instance. Nothing was moved.
        """
        fresh = _fresh(path)
        for part in (fresh, *_logs(fresh)):
            part.unlink(missing_ok=True)
        remains = read_remains(path)
        with closing(connect(fresh)) as db:
            db.execute("BEGIN IMMEDIATE")
            self._fill(db, remains)
            db.execute("COMMIT")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sync_directory(path.parent)
        aside = _move_aside(path)
        self.finish(path)
        return Salvage(aside, len(remains.entries), len(remains.lost), remains.exact)

    def finish(self, path: Path) -> None:
        """Go on where a rescue was cut short: the old one moved, the new one not in its place."""
        fresh = _fresh(path)
        if fresh.exists() and not path.exists():
            fresh.rename(path)
            sync_directory(path.parent)

    def _fill(self, db: sqlite3.Connection, remains: Remains) -> None:
        for row in sorted(remains.entries.values()):
            db.execute(_INSERT, _sealed(row))
        for query, rows in ((_COOLDOWN, remains.cooldowns), (_META, remains.meta)):
            for row in rows:
                with suppress(sqlite3.IntegrityError, sqlite3.InterfaceError):
                    db.execute(query, row)
        for gap in _gaps(remains.given_up):
            add_gap(db, gap)
        if remains.lost or not remains.exact:
            add_gap(db, self._lost(remains))

    def _lost(self, remains: Remains) -> Gap:
        """When they were raised is in their ids; else they were lost about now."""
        now = self._wall()
        times = [ulid_wall_s(event) if event else None for event in remains.lost.values()]
        known = [time for time in times if time is not None] or [now]
        events = {Loss.DAMAGED: max(1, len(remains.lost))}
        return Gap(Wall(min(known)), Wall(max(known)), events, exact=remains.exact)


def _sealed(row: Row) -> Row:
    """The values to insert: with its checksum, which a row of the first format lacks."""
    seq, event, topic, payload, priority, created_at, gap, boot, at, _, attempts, parked = row
    content = (event, topic, payload, priority, created_at, gap, boot, at)
    return (seq, *content, checksum(*content), attempts, parked, len(payload))


def _gaps(rows: list[Row]) -> list[Gap]:
    gaps = []
    for reason, events, first, last, exact in rows:
        with suppress(ValueError, TypeError):
            count = {Loss(reason): int(events)}
            gaps.append(Gap(Wall(float(first)), Wall(float(last)), count, exact=bool(exact)))
    return gaps


def _move_aside(path: Path) -> Path:
    number = 1
    while (target := path.with_name(f"{path.name}.corrupt-{number}")).exists():
        number += 1
    for part, suffix in zip(_logs(path), _LOG, strict=True):
        if part.exists():
            part.rename(target.with_name(target.name + suffix))
    path.rename(target)
    return target


def forget_aside(path: Path, before: Wall) -> int:
    """Delete what was set aside and not written to since; how many damaged outboxes that were.

    Raises:
        DiskError: it cannot be deleted.
    """
    old = [one for one in path.parent.glob(f"{path.name}.corrupt-*") if _written(one) < before]
    try:
        for one in old:
            one.unlink(missing_ok=True)
        if old:
            sync_directory(path.parent)
    except OSError as error:
        raise DiskError(f"{error.filename or path}: {error.strerror}") from error
    return sum(not one.name.endswith(_LOG) for one in old)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _fresh(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def _logs(path: Path) -> tuple[Path, Path]:
    return path.with_name(path.name + _LOG[0]), path.with_name(path.name + _LOG[1])
