"""The hub's own memory on SQLite: settings, devices, and which device could read which list.

Every change of the register of devices raises a number in it, and then in a file beside it: when an
older copy of the database is put back, which would let a removed device in again, they differ.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.errors import DataError
from agent.hub.files import Disk, read_bounded
from agent.hub.sqlite_file import SettingsFile

MARK: Final = "hub.generation"
_KEY: Final = "generation"
_MAX_MARK: Final = 64

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


PASSED_OVER = 1_000_000
"""Commands to one camera that an older copy of the register may lack: more than a century of one an
hour. There is room for nine thousand million such copies."""


class HubDatabase(SettingsFile):
    """`hub.sqlite`; see `SqliteFile`.

    Args:
        path: of the file.
        disk: writes the number beside it.
    """

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self._mark = path.with_name(MARK)
        self._disk = disk or Disk()
        super().__init__(path, _MIGRATIONS)

    @contextlib.contextmanager
    def change_of_devices(self, *, now: float) -> Iterator[sqlite3.Connection]:
        """A transaction after which a copy made before is known to be older.

        A kill between the two writes leaves the file behind, which says nothing against the
        database.
        """
        with self.transaction() as db:
            yield db
            number = self._generation() + 1
            db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (_KEY, str(number)))
        self._write_mark(number, now)

    @property
    def path(self) -> Path:
        return self._path

    def older(self) -> bool:
        """Whether devices were changed since this copy was made."""
        return self._generation() < self._marked()

    def accept_older(self, *, now: float) -> None:
        """From now on this copy is the newest. Commands that were given since it was made are not
        in it: their numbers are passed over, or cameras would take new ones for old.
        """
        number = max(self._generation(), self._marked())
        with self.transaction() as db:
            db.execute("UPDATE device SET commands = commands + ?", (PASSED_OVER,))
            db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (_KEY, str(number)))
        self._write_mark(number, now)

    def _write_mark(self, number: int, now: float) -> None:
        self._disk.write(self._mark, f"{number}\n".encode(), when=now, mode=0o600)

    def _generation(self) -> int:
        return int(self.setting(_KEY) or 0)

    def _marked(self) -> int:
        if not self._mark.exists():
            return 0
        text = read_bounded(self._mark, _MAX_MARK).decode("ascii", "replace").strip()
        if not text.isdigit():
            raise DataError(f"{self._mark}: expected a number; restore a copy")
        return int(text)
