"""Who gives way when there is no room, and the count of those who did. SQL on an open transaction.

Lowest priority first, then the oldest; a gap event never, so that a gap makes no gap. What is no
alert (a priority below 0) goes first and is not counted: nothing is lost with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from agent.messages import new_ulid
from agent.values import Gap, Loss, Wall

_ALL = "SELECT count(*), total(size) FROM entry"
_VICTIMS = "SELECT seq, size FROM entry WHERE NOT gap ORDER BY priority, seq"

_ALERT = "SELECT created_at FROM entry WHERE seq = ? AND priority >= 0"


def keep_within(db: sqlite3.Connection, *, max_events: int, max_bytes: int) -> None:
    """Give up as much as is over the bounds."""
    count, size = db.execute(_ALL).fetchone()
    if count > max_events or size > max_bytes:
        give_way(db, Loss.OUTBOX_FULL, events=count - max_events, size=int(size) - max_bytes)


def give_way(db: sqlite3.Connection, loss: Loss, *, events: int = 0, size: int = 0) -> int:
    """Give up at least so many events, and at least so many bytes, as far as there are any."""
    chosen: list[int] = []
    for seq, weight in db.execute(_VICTIMS):
        if len(chosen) >= events and size <= 0:
            break
        chosen.append(seq)
        size -= weight
    return give_up(db, loss, chosen)


def give_up(db: sqlite3.Connection, loss: Loss, chosen: Iterable[int]) -> int:
    """Erase these rows, and count them."""
    times: list[float] = []
    for seq in chosen:
        times += [at for (at,) in db.execute(_ALERT, (seq,))]
        db.execute("DELETE FROM entry WHERE seq = ?", (seq,))
    if times:
        add_gap(db, Gap(Wall(min(times)), Wall(max(times)), {loss: len(times)}))
    return len(times)


def forget_marks_before(db: sqlite3.Connection, before: Wall) -> int:
    """By the time in the id of their alert: another boot counts from 0 again. How many."""
    oldest = new_ulid(wall_s=max(0.0, before), randomness=bytes(10))
    return db.execute("DELETE FROM cooldown WHERE id < ?", (oldest,)).rowcount


def add_gap(db: sqlite3.Connection, gap: Gap) -> None:
    """Count events that are lost."""
    for loss, events in gap.by_reason.items():
        db.execute(
            "INSERT INTO given_up VALUES (?, ?, ?, ?, ?) ON CONFLICT (reason) DO UPDATE SET"
            " events = events + excluded.events, first = min(first, excluded.first),"
            " last = max(last, excluded.last), exact = min(exact, excluded.exact)",
            (loss.value, events, gap.first, gap.last, int(gap.exact)),
        )


def read_gap(db: sqlite3.Connection) -> Gap | None:
    """What was given up and is not reported yet; None when that is nothing."""
    rows = db.execute("SELECT reason, events, first, last, exact FROM given_up").fetchall()
    if not rows:
        return None
    return Gap(
        Wall(min(row[2] for row in rows)),
        Wall(max(row[3] for row in rows)),
        {Loss(row[0]): row[1] for row in rows},
        exact=all(row[4] for row in rows),
    )
