"""Retention: what is deleted when, what is held, and that it is written down.

What is deleted is overwritten (secure_delete, and the write-ahead log emptied), and the key of an
authorisation under which nothing is left is destroyed, so that older copies tell nothing. Of a
purged event its id stays, without content: a camera that missed the acknowledgement sends it once
more, and must not bring it back.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from agent.errors import RefusedError, UsageError
from agent.hub.chain import write_log
from agent.hub.event_store import EventStore, StoredEvent

_DAY_S: Final = 86_400.0
_TREE: Final = (
    "(hold IS NULL AND NOT EXISTS (SELECT 1 FROM event AS other WHERE other.hold IS NOT NULL AND"
    " other.device_key = event.device_key AND (other.id = event.first OR other.first = event.id"
    " OR other.first = event.first)))"
)
"""Held are the event itself, the alert that it follows up, and all that follow that up."""


@dataclass(frozen=True, slots=True)
class Purged:
    """How much of what was deleted.

    Attributes:
        events: alerts, updates and gaps.
        reviews: of them.
        held: were due, but are under a legal hold.
    """

    events: int
    reviews: int
    held: int


def purge(
    store: EventStore,
    *,
    received_before: float | None = None,
    authorisation: str | None = None,
    dry: bool = False,
    now: float,
) -> Purged:
    """Delete events.

    Args:
        store: of events.
        received_before: those that arrived before, wall seconds.
        authorisation: those raised for its sake, or while armed under it. Given both, those to
            which both apply.
        dry: only count.
        now: wall seconds.

    Raises:
        UsageError: neither is given.
    """
    if received_before is None and authorisation is None:
        raise UsageError("purge: say what, with --older-than DAYS or --authorisation ID")
    mark = None if authorisation is None else store.mark("authorisation", authorisation)
    due = (
        "purged IS NULL AND (? IS NULL OR received < ?)"
        " AND (? IS NULL OR authorisation = ? OR armed = ?)"
    )
    values = (received_before, received_before, mark, mark, mark)
    with store.database.transaction() as db:

        def count(sql: str) -> int:
            return int(db.execute(sql, values).fetchone()[0])

        chosen = f"SELECT number FROM event WHERE {due} AND {_TREE}"  # noqa: S608 -- constants
        done = Purged(
            count(f"SELECT count(*) FROM event WHERE {due} AND {_TREE}"),  # noqa: S608
            count(f"SELECT count(*) FROM review WHERE event IN ({chosen})"),  # noqa: S608
            count(f"SELECT count(*) FROM event WHERE {due} AND NOT {_TREE}"),  # noqa: S608
        )
        if dry:
            return done
        db.execute("CREATE TEMP TABLE gone AS " + chosen, values)
        db.execute("DELETE FROM review WHERE event IN (SELECT number FROM gone)")
        db.execute(
            "UPDATE event SET payload = NULL, opened = NULL, subject = NULL, authorisation = NULL,"
            " armed = NULL, first = NULL, ack = NULL, purged = ?"
            " WHERE number IN (SELECT number FROM gone)",
            (now,),
        )
        db.execute("DELETE FROM ack WHERE number NOT IN (SELECT ack FROM event WHERE ack NOTNULL)")
        db.execute("DROP TABLE gone")
        what: dict[str, str | int] = {**asdict(done)}
        if received_before is not None:
            what["days"] = max(0, round((now - received_before) / _DAY_S))
        if authorisation is not None:
            what["authorisation"] = authorisation
        write_log(db, "purge", now, **what)
    store.database.empty_log()
    store.forget_keys()
    return done


def retain(store: EventStore, days: float, *, now: float) -> Purged:
    """Delete what arrived more than so many days ago; nothing is recorded where nothing is due."""
    before = now - days * _DAY_S
    due = purge(store, received_before=before, dry=True, now=now)
    return purge(store, received_before=before, now=now) if due.events else due


def hold(store: EventStore, stored: StoredEvent, reason: str, *, now: float) -> None:
    """Keep an event, and what it is an update of or has as updates, whatever is purged.

    Raises:
        RefusedError: it was purged.
    """
    if stored.purged is not None:
        raise RefusedError(f"event {stored.id}: was purged")
    _set(store, stored, reason, now)


def release(store: EventStore, stored: StoredEvent, *, now: float) -> None:
    """End a hold.

    Raises:
        UsageError: there is none.
    """
    if stored.hold is None:
        raise UsageError(f"event {stored.id}: is not held")
    _set(store, stored, None, now)


def _set(store: EventStore, stored: StoredEvent, reason: str | None, now: float) -> None:
    with store.database.transaction() as db:
        db.execute("UPDATE event SET hold = ? WHERE number = ?", (reason, stored.number))
        what = {"event": stored.id, "device": stored.device}
        if reason is None:
            write_log(db, "release", now, **what)
        else:
            write_log(db, "hold", now, **what, reason=reason)
