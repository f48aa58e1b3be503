"""The hub's own memory on SQLite: settings, devices, and which device could read which list."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agent.hub.sqlite_file import SettingsFile

_MIGRATIONS: Final = (
    """
    CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE token (
        device TEXT PRIMARY KEY,
        sealed BLOB NOT NULL,
        unlock TEXT NOT NULL,
        not_after REAL NOT NULL,
        used_at REAL
    );
    CREATE TABLE device (
        key_id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        seal_key BLOB NOT NULL,
        sign_key BLOB NOT NULL,
        unlock TEXT NOT NULL,
        store_key BLOB,
        added_at REAL NOT NULL,
        removed_at REAL,
        released_at REAL,
        releases INTEGER NOT NULL DEFAULT 0
    );
    CREATE UNIQUE INDEX device_name ON device (name) WHERE removed_at IS NULL;
    CREATE TABLE assigned (
        key_id TEXT NOT NULL REFERENCES device,
        list TEXT NOT NULL,
        PRIMARY KEY (key_id, list)
    ) WITHOUT ROWID;
    CREATE TABLE reader (
        list TEXT NOT NULL,
        key_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        PRIMARY KEY (list, key_id)
    ) WITHOUT ROWID;
    CREATE TABLE rekey (list TEXT PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID;
    """,
    """
    ALTER TABLE token ADD COLUMN alert_key BLOB NOT NULL DEFAULT x'';
    ALTER TABLE token ADD COLUMN ack_key BLOB NOT NULL DEFAULT x'';
    ALTER TABLE device ADD COLUMN alert_key BLOB NOT NULL DEFAULT x'';
    ALTER TABLE device ADD COLUMN ack_key BLOB NOT NULL DEFAULT x'';
    """,
    "ALTER TABLE device ADD COLUMN commands INTEGER NOT NULL DEFAULT 0;",
)
"""Entry n takes the file from user_version n to n + 1. Append only."""


class HubDatabase(SettingsFile):
    """`hub.sqlite`; see `SqliteFile`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _MIGRATIONS)
