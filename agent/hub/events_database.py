"""`events.sqlite` of the hub: what cameras reported, and what was done about it.

In clear are ids, times and names of cameras; what an event says lies there sealed as it arrived,
and once more opened, both locked with the key of its authorisation (`case_keys`). Subjects and
authorisations are keyed hashes, by which events are found and compared without being opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agent.hub.sqlite_file import SettingsFile

FILE: Final = "events.sqlite"
_MIGRATIONS: Final = (
    """
    CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE ack (
        number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, public BLOB NOT NULL,
        message BLOB NOT NULL
    );
    CREATE TABLE event (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL, device TEXT NOT NULL, device_key TEXT NOT NULL, sign_key BLOB NOT NULL,
        type TEXT NOT NULL, time REAL NOT NULL, historical INTEGER NOT NULL,
        received REAL NOT NULL, digest BLOB NOT NULL,
        payload BLOB, opened BLOB, subject BLOB, authorisation BLOB, first TEXT,
        ack INTEGER REFERENCES ack, hold TEXT, purged REAL,
        UNIQUE (device_key, id)
    );
    CREATE INDEX event_id ON event (id);
    CREATE INDEX event_first ON event (first) WHERE first IS NOT NULL;
    CREATE INDEX event_subject ON event (subject, time) WHERE subject IS NOT NULL;
    CREATE INDEX event_authorisation ON event (authorisation) WHERE authorisation IS NOT NULL;
    CREATE INDEX event_ack ON event (ack);
    CREATE TABLE refusal (
        minute INTEGER NOT NULL, why TEXT NOT NULL, device TEXT NOT NULL, count INTEGER NOT NULL,
        detail TEXT NOT NULL, PRIMARY KEY (minute, why, device)
    ) WITHOUT ROWID;
    CREATE TABLE reviewer (
        key_id TEXT PRIMARY KEY, name TEXT NOT NULL, public BLOB NOT NULL, added REAL NOT NULL,
        removed REAL
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX reviewer_name ON reviewer (name) WHERE removed IS NULL;
    CREATE TABLE review (
        number INTEGER PRIMARY KEY AUTOINCREMENT, event INTEGER NOT NULL REFERENCES event,
        record BLOB NOT NULL
    );
    CREATE INDEX review_event ON review (event);
    CREATE TABLE log (
        number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, what TEXT NOT NULL,
        detail TEXT NOT NULL
    );
    """,
    """
    CREATE TABLE anchor (
        device_key TEXT NOT NULL, id TEXT NOT NULL, device TEXT NOT NULL, first INTEGER NOT NULL,
        last INTEGER NOT NULL, hash TEXT NOT NULL, received REAL NOT NULL, message BLOB NOT NULL,
        PRIMARY KEY (device_key, id)
    ) WITHOUT ROWID;
    CREATE INDEX anchor_last ON anchor (device_key, last);
    CREATE TABLE chain (seq INTEGER PRIMARY KEY, line BLOB NOT NULL);
    """,
    "ALTER TABLE event ADD COLUMN keyed INTEGER NOT NULL DEFAULT 0",
    """
    ALTER TABLE event ADD COLUMN armed BLOB;
    CREATE INDEX event_armed ON event (armed) WHERE armed IS NOT NULL;
    CREATE TABLE revoked (mark BLOB PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
    """,
)
"""Entry n takes the file from user_version n to n + 1. Append only. `log` is what was
written before there was a chain; nothing is added to it."""


class EventsDatabase(SettingsFile):
    """The file; see `SqliteFile`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _MIGRATIONS)
