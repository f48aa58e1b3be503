"""The hub's own store of lists: what is published, under which keys, made of which photographs.

A version is written here before it is published (`begin`), and confirmed afterwards (`finish`).
Whether it was published is never guessed: the public folder says so, and `settle` follows it, so
that a kill at any moment leaves both in agreement. The entries themselves are not kept twice: they
are read back from the published shards, whose keys are in the state of the version.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from agent.errors import DataError, MissingFileError, UsageError
from agent.hub.list_values import (
    Facts,
    ListRecord,
    ListState,
    Pending,
    PhotoRow,
    facts_of,
    packed,
    unpacked,
)
from agent.hub.lists_database import ListsDatabase
from agent.hub.photo_ledger import forget_unused
from agent.hub.vault import Vault

_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_ID: Final = re.compile(r"L-[0-9a-f]{16}")
_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Lists:
    """The lists in the hub's database.

    Attributes:
        database: keeps them.
        vault: encrypts states and paths.
    """

    database: ListsDatabase
    vault: Vault

    def find(self, name: str) -> ListRecord | None:
        """By name or id."""
        rows = self.database.read(
            "SELECT id, name, created FROM list WHERE id = ? OR name = ?", name, name
        )
        return ListRecord(*rows[0]) if rows else None

    def get(self, name: str) -> ListRecord:
        """By name or id.

        Raises:
            MissingFileError: there is no such list.
        """
        found = self.find(name)
        if found is None:
            known = ", ".join(one.name for one in self.every()) or "none yet"
            raise MissingFileError(f"no list {name!r} on this hub; there are: {known}")
        return found

    def every(self) -> list[ListRecord]:
        """All lists, by name."""
        rows = self.database.read("SELECT id, name, created FROM list ORDER BY name")
        return [ListRecord(*row) for row in rows]

    def made(self) -> list[ListRecord]:
        """Lists of which a version was published, or is about to be; by name."""
        rows = self.database.read(
            "SELECT id, name, created FROM list WHERE EXISTS"
            " (SELECT 1 FROM version WHERE version.list = list.id) ORDER BY name"
        )
        return [ListRecord(*row) for row in rows]

    def create(self, name: str, *, now: float, randomness: Callable[[int], bytes]) -> ListRecord:
        """A list without a version yet.

        Raises:
            UsageError: not a name for a list.
        """
        record = ListRecord(f"L-{randomness(_ID_BYTES).hex()}", check_name(name), now)
        with self.database.transaction() as db:
            db.execute("INSERT INTO list VALUES (?, ?, ?)", (record.id, name, now))
        return record

    def settle(self, list_id: str, published: str | None, now: float) -> None:
        """Agree with the public folder, after a command that may have been killed.

        Args:
            list_id: of the list.
            published: sha256 of the encrypted manifest that is published; None without one.
            now: wall seconds.

        Raises:
            DataError: the public folder has a version that this hub did not make.
        """
        rows = self.database.read(
            "SELECT version, manifest, published FROM version WHERE list = ? ORDER BY version",
            list_id,
        )
        for version, manifest, done in rows:
            if not done and manifest == published:
                self.finish(list_id, version, now)
            elif not done:
                self._discard(list_id, version)
        current = self._current(list_id)
        if (current and current[1]) != published:
            raise DataError(
                f"list {list_id}: the public folder has another version than this hub made last; "
                "restore both from one copy"
            )

    def begin(self, list_id: str, next_one: Pending) -> None:
        """Write down what is about to be published."""
        version = next_one.facts.version
        blob = self.vault.lock(packed(next_one.state), _about(list_id, version))
        facts = json.dumps(asdict(next_one.facts))
        with self.database.transaction() as db:
            db.execute(
                "INSERT INTO version VALUES (?, ?, ?, 0, ?, ?)",
                (list_id, version, next_one.manifest, facts, blob),
            )
            db.executemany(
                "UPDATE enrolled SET until = ? WHERE list = ? AND entry = ? AND until IS NULL",
                ((version, list_id, entry) for entry in next_one.gone),
            )
            db.executemany(
                "INSERT OR REPLACE INTO enrolled VALUES (?, ?, ?, ?, ?, ?, NULL)",
                (
                    (list_id, one.entry, one.sha256, one.recipe, self._path(one), version)
                    for one in next_one.photos
                ),
            )

    def finish(self, list_id: str, version: int, now: float) -> None:
        """It is published: keys and photographs of what is no longer on the list are destroyed."""
        with self.database.transaction() as db:
            rows = db.execute(
                "SELECT DISTINCT sha256 FROM enrolled WHERE list = ? AND until <= ?",
                (list_id, version),
            ).fetchall()
            db.execute("DELETE FROM enrolled WHERE list = ? AND until <= ?", (list_id, version))
            db.execute(
                "UPDATE version SET state = NULL WHERE list = ? AND version < ?", (list_id, version)
            )
            db.execute(
                "UPDATE version SET published = 1 WHERE list = ? AND version = ?",
                (list_id, version),
            )
        forget_unused(self.database, now, gone=[row[0] for row in rows])

    def drop(self, list_id: str, now: float) -> None:
        """It is published no more: everything about it is destroyed, its name is free again."""
        with self.database.transaction() as db:
            rows = db.execute(
                "SELECT DISTINCT sha256 FROM enrolled WHERE list = ?", (list_id,)
            ).fetchall()
            for table, column in (("enrolled", "list"), ("version", "list"), ("list", "id")):
                db.execute(f"DELETE FROM {table} WHERE {column} = ?", (list_id,))  # noqa: S608
        forget_unused(self.database, now, gone=[row[0] for row in rows])

    def state(self, list_id: str) -> ListState | None:
        """Of the published version; None before the first.

        Raises:
            DataError: it was changed.
        """
        current = self._current(list_id)
        if current is None:
            return None
        version, _, blob = current
        return unpacked(self.vault.unlock(blob, _about(list_id, version)))

    def version(self, list_id: str) -> int:
        """Of what is published; 0 before the first."""
        current = self._current(list_id)
        return current[0] if current else 0

    def facts(self, list_id: str) -> list[Facts]:
        """Of every published version, oldest first."""
        rows = self.database.read(
            "SELECT facts FROM version WHERE list = ? AND published ORDER BY version", list_id
        )
        return [facts_of(json.loads(row[0])) for row in rows]

    def photographs(self, list_id: str, entry: str) -> list[tuple[str, str]]:
        """(sha256, path) of the photographs behind an entry."""
        rows = self.database.read(
            "SELECT sha256, path FROM enrolled WHERE list = ? AND entry = ? ORDER BY sha256",
            list_id,
            entry,
        )
        return [
            (digest, self.vault.unlock(path, f"path/{digest}").decode()) for digest, path in rows
        ]

    def _current(self, list_id: str) -> tuple[int, str, bytes] | None:
        rows = self.database.read(
            "SELECT version, manifest, state FROM version WHERE list = ? AND published "
            "ORDER BY version DESC LIMIT 1",
            list_id,
        )
        return (int(rows[0][0]), str(rows[0][1]), bytes(rows[0][2])) if rows else None

    def _discard(self, list_id: str, version: int) -> None:
        with self.database.transaction() as db:
            mine = (list_id, version)
            db.execute("DELETE FROM enrolled WHERE list = ? AND since = ?", mine)
            db.execute("UPDATE enrolled SET until = NULL WHERE list = ? AND until = ?", mine)
            db.execute("DELETE FROM version WHERE list = ? AND version = ?", mine)
        self.database.empty_log()

    def _path(self, one: PhotoRow) -> bytes:
        return self.vault.lock(one.path.encode("utf-8", "surrogateescape"), f"path/{one.sha256}")


def check_name(name: str) -> str:
    """The name itself, if a new list may have it.

    Raises:
        UsageError: it may not.
    """
    if not _NAME.fullmatch(name) or _ID.fullmatch(name):
        raise UsageError(
            f"{name!r}: not a name for a new list: 1 to 64 letters, digits and _ . : - (ids such "
            "as L-… are given by the hub)"
        )
    return name


def _about(list_id: str, version: int) -> str:
    return f"list/{list_id}/{version}"
