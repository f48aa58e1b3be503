"""Events in the database: each once, however often it arrives."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from agent.errors import DataError, MissingFileError, UsageError
from agent.hub.case_keys import CaseKeys
from agent.hub.chain import write_log
from agent.hub.event_values import Opened, Refused, Why
from agent.hub.events_database import EventsDatabase
from agent.hub.vault import Vault
from agent.messages import TEST_TYPE, GapEvent

_COLUMNS: Final = (
    "number, id, device, device_key, sign_key, type, time, historical, received, payload, opened, "
    "first, ack, hold, purged, authorisation, keyed"
)
_KEPT_MINUTES: Final = 60 * 24 * 90


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A row. Times are wall seconds.

    Attributes:
        number: order of arrival.
        id, type: of the event.
        device, device_key: name of the camera, and of its provisioning.
        sign_key: Ed25519 public key that it was verified with.
        time: when the camera raised it.
        payload: as received; None once purged.
        locked: opened event, locked with the key of its authorisation; None once purged.
        first: id of the event that an update follows up.
        ack: number of the acknowledgement that was made with it.
        hold: why it must not be purged; None: it may.
        purged: when it was.
        authorisation: keyed hash of the one it was raised under; None: of none.
        keyed: that has a key; without one, and in old rows, the vault's locks it.
    """

    number: int
    id: str
    device: str
    device_key: str
    sign_key: bytes
    type: str
    time: float
    historical: bool
    received: float
    payload: bytes | None
    locked: bytes | None
    first: str | None
    ack: int | None
    hold: str | None
    purged: float | None
    authorisation: bytes | None
    keyed: int


@dataclass(frozen=True, slots=True)
class EventStore:
    """Attributes:
    database: keeps events.
    vault: locks what is about nobody, and finds values again.
    keys: of authorisations.
    """

    database: EventsDatabase
    vault: Vault
    keys: CaseKeys

    def put(self, db: sqlite3.Connection, opened: Opened, now: float) -> bool | Refused:
        """Keep an event, in a transaction. False: it is here already.

        Refused: its id is taken by another content of the same camera.
        """
        event, device = opened.event, opened.device
        row = db.execute(
            "SELECT digest FROM event WHERE device_key = ? AND id = ?", (device.key_id, event.id)
        ).fetchone()
        if row is not None:
            if row[0] == opened.digest:
                return False
            detail = f"event {event.id}: came before with other content"
            return Refused(Why.CHANGED, device.name, detail)
        tree = event.model_dump(mode="json")
        data = tree["data"]
        marks = self._mark_of(data, "authorisation"), self._mark_of(data, "armed_under")
        query = "SELECT 1 FROM revoked WHERE mark IN (?, ?)"
        if db.execute(query, marks).fetchone() is not None:
            self._put_nothing(db, opened, now)
            return False
        nobody = isinstance(event, GapEvent) or event.type == TEST_TYPE
        clear = json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()
        about, mark = _about(device.key_id, event.id), marks[0]
        lock = self.vault if mark is None else self.keys.made(mark)
        payload = opened.payload if mark is None else lock.lock(opened.payload, _sealed(about))
        db.execute(
            "INSERT INTO event (id, device, device_key, sign_key, type, time, historical, received,"
            " digest, payload, opened, subject, authorisation, armed, first, keyed)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(event.id, device.name, device.key_id, device.sign_key, event.type),
                *(seconds(event.time), bool(data.get("historical")), now),
                *(opened.digest, payload, lock.lock(clear, about)),
                None if nobody else self.mark("subject", tree["subject"]),
                *marks,
                *(data.get("match"), mark is not None),
            ),
        )
        return True

    def revoke(self, authorisation: str, *, now: float) -> None:
        """From now on, what arrives that was raised under it is not kept."""
        row = (self.mark("authorisation", authorisation), now)
        with self.database.transaction() as db:
            db.execute("INSERT OR IGNORE INTO revoked VALUES (?, ?)", row)

    def _put_nothing(self, db: sqlite3.Connection, opened: Opened, now: float) -> None:
        """It came too late: known, so that the camera is told, and nothing of it is here."""
        event, device = opened.event, opened.device
        db.execute(
            "INSERT INTO event (id, device, device_key, sign_key, type, time, historical, received,"
            " digest, purged) VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?)",
            (
                *(event.id, device.name, device.key_id, device.sign_key, event.type),
                *(seconds(event.time), now, opened.digest, now),
            ),
        )
        write_log(db, "purge", now, events=1, reviews=0, held=0)

    def opened(self, stored: StoredEvent) -> dict[str, Any]:
        """What the event says: the open event as JSON values.

        Raises:
            MissingFileError: it was purged.
            DataError: it was changed in the database.
        """
        if stored.locked is None:
            raise MissingFileError(f"event {stored.id}: was purged")
        clear = self._lock_of(stored).unlock(stored.locked, _about(stored.device_key, stored.id))
        tree: dict[str, Any] = json.loads(clear)
        return tree

    def get(self, name: str) -> StoredEvent:
        """By id, or DEVICE/ID where two cameras have used one id.

        Raises:
            MissingFileError: there is none.
            UsageError: there are several.
        """
        device, _, event_id = name.rpartition("/")
        found = self.events("WHERE id = ? AND (? = '' OR device = ?)", event_id, device, device)
        if not found:
            raise MissingFileError(f"no event {name} (see `bodycam-hub review list --all`)")
        if len(found) > 1:
            names = ", ".join(f"{one.device}/{one.id}" for one in found)
            raise UsageError(f"{name}: several cameras used this id; say which: {names}")
        return found[0]

    def find(self, device_key: str, event_id: str) -> StoredEvent | None:
        """The event of this id that a camera raised."""
        found = self.events("WHERE device_key = ? AND id = ?", device_key, event_id)
        return found[0] if found else None

    def events(self, where: str, *values: Any) -> list[StoredEvent]:
        """Rows that satisfy a condition, which is a constant of the program."""
        rows = self.database.read(f"SELECT {_COLUMNS} FROM event {where}", *values)  # noqa: S608
        return [self._with_payload(StoredEvent(*row)) for row in rows]

    def forget_keys(self) -> int:
        """Destroy the keys of authorisations under which no event is left; how many.

        In a transaction, in which no event can arrive: it would be locked with such a key.
        """
        with self.database.transaction() as db:
            rows = db.execute("SELECT DISTINCT authorisation FROM event WHERE keyed").fetchall()
            return self.keys.keep_only({mark for (mark,) in rows if mark is not None})

    def _with_payload(self, stored: StoredEvent) -> StoredEvent:
        if stored.payload is None or not stored.keyed:
            return stored
        about = _sealed(_about(stored.device_key, stored.id))
        return replace(stored, payload=self._lock_of(stored).unlock(stored.payload, about))

    def _lock_of(self, stored: StoredEvent) -> Vault:
        mark = stored.authorisation if stored.keyed else None
        return self.vault if mark is None else self.keys.of(mark)

    def beside(self, stored: StoredEvent, window_s: float) -> list[StoredEvent]:
        """Events of the same subject from other cameras, within so many seconds of this one."""
        return self.events(
            "WHERE subject = (SELECT subject FROM event WHERE number = ?) AND device <> ?"
            " AND time BETWEEN ? AND ? AND purged IS NULL ORDER BY time, number",
            stored.number,
            stored.device,
            stored.time - window_s,
            stored.time + window_s,
        )

    def updates(self, stored: StoredEvent) -> list[StoredEvent]:
        """Later sightings that name this event."""
        return self.events(
            "WHERE first = ? AND device_key = ? ORDER BY number", stored.id, stored.device_key
        )

    def _mark_of(self, data: dict[str, Any], name: str) -> bytes | None:
        """Of the authorisation for whose sake, or under which, an event was raised."""
        given = data.get(name)
        return None if given is None else self.mark("authorisation", given)

    def mark(self, what: str, value: str) -> bytes:
        """A keyed hash, by which the same value is found again."""
        return hmac.digest(self.vault.key, f"bodycam.hub.{what}/{value}".encode(), hashlib.sha256)


def note_refusals(db: sqlite3.Connection, refused: Sequence[Refused], now: float) -> None:
    """Count refusals by minute, kind and camera: a flood of them costs a row a minute and kind."""
    minute = int(now // 60)
    db.executemany(
        "INSERT INTO refusal VALUES (?, ?, ?, 1, ?) ON CONFLICT DO UPDATE SET count = count + 1",
        [(minute, one.why.value, one.device, one.detail[:200]) for one in refused],
    )
    if refused:
        db.execute("DELETE FROM refusal WHERE minute < ?", (minute - _KEPT_MINUTES,))


def seconds(text: str) -> float:
    """Wall seconds of a time as messages have it.

    Raises:
        DataError: there is no such day or hour.
    """
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        raise DataError(f"{text}: there is no such time") from None


def _about(device_key: str, event_id: str) -> str:
    return f"event/{device_key}/{event_id}"


def _sealed(about: str) -> str:
    return f"{about}/sealed"
