"""A key for each authorisation: what was raised under it is locked with that, and ends with it.

The keys lie in a file of their own, locked in the vault. When the last event of an authorisation
is purged its key is destroyed: a copy of the events that was made before tells nothing any more,
as long as no copy of this file is older than the purge.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from agent.adapters.sealing import new_key
from agent.errors import MissingFileError
from agent.hub.sqlite_file import SqliteFile
from agent.hub.vault import Vault

FILE: Final = "event-keys.sqlite"
_MIGRATIONS: Final = (
    "CREATE TABLE key (mark BLOB PRIMARY KEY, locked BLOB NOT NULL) WITHOUT ROWID",
)


class CaseKeys(SqliteFile):
    """The file; see `SqliteFile`.

    Args:
        path: of the file.
        vault: locks the keys.
    """

    def __init__(self, path: Path, vault: Vault) -> None:
        super().__init__(path, _MIGRATIONS)
        self._vault = vault

    def of(self, mark: bytes) -> Vault:
        """What was raised under an authorisation is locked in this.

        Args:
            mark: keyed hash of the authorisation.

        Raises:
            MissingFileError: the key was destroyed.
        """
        key = self._find(mark)
        if key is None:
            raise MissingFileError(
                f"{self._path}: the key of this event was destroyed, or the file is too old a copy"
            )
        return key

    def made(self, mark: bytes) -> Vault:
        """The same, with a new key where there is none; on disk when this returns."""
        key = self._find(mark)
        if key is not None:
            return key
        locked = self._vault.lock(new_key(), _about(mark))
        with self.transaction() as db:
            db.execute("INSERT OR IGNORE INTO key VALUES (?, ?)", (mark, locked))
        return self.of(mark)

    def _find(self, mark: bytes) -> Vault | None:
        rows = self.read("SELECT locked FROM key WHERE mark = ?", mark)
        return Vault(self._vault.unlock(rows[0][0], _about(mark))) if rows else None

    def keep_only(self, marks: Collection[bytes]) -> int:
        """Destroy every other key; how many there were."""
        gone = [row for row in self.read("SELECT mark FROM key") if row[0] not in marks]
        if gone:
            with self.transaction() as db:
                db.executemany("DELETE FROM key WHERE mark = ?", gone)
            self.empty_log()
        return len(gone)


def _about(mark: bytes) -> str:
    return f"authorisation/{mark.hex()}"
