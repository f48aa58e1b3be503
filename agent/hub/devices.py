"""Which devices there are, and which lists each of them could ever read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agent.errors import UsageError
from agent.hub.database import HubDatabase

_COLUMNS: Final = (
    "name, key_id, seal_key, sign_key, unlock, store_key, added_at, removed_at, released_at, "
    "releases, alert_key, ack_key"
)


@dataclass(frozen=True, slots=True)
class Device:
    """One camera, as it was provisioned once.

    Attributes:
        name: its id.
        key_id: of `seal_key`; another one after every provisioning.
        seal_key: X25519 public key, 32 bytes.
        sign_key: Ed25519 public key, 32 bytes.
        unlock: where the key of its store comes from.
        store_key: that key sealed to the hub, where the hub unlocks the store.
        added_at, removed_at, released_at: wall seconds; the last when its store was last unlocked.
        releases: how often it was.
        alert_key: X25519 public key that it seals events to.
        ack_key: Ed25519 public key that it knows the hub's acknowledgements by. Both as they
            were when it was provisioned: it knows no newer ones.
    """

    name: str
    key_id: str
    seal_key: bytes
    sign_key: bytes
    unlock: str
    store_key: bytes | None
    added_at: float
    removed_at: float | None
    released_at: float | None
    releases: int
    alert_key: bytes
    ack_key: bytes


@dataclass(frozen=True, slots=True)
class OpenToken:
    """A token that was given out; nothing of the token itself.

    Attributes:
        device: id of the camera it is for.
        unlock: where the key of its store will come from.
        not_after: wall seconds.
    """

    device: str
    unlock: str
    not_after: float


class Devices:
    """The register of devices in the hub's database."""

    def __init__(self, database: HubDatabase) -> None:
        self._database = database

    def remove(self, name: str, *, now: float) -> tuple[str, ...]:
        """Strike a device off; its sealed store key is overwritten.

        Returns:
            lists it could read: each must be published under new keys.

        Raises:
            UsageError: there is no such device.
        """
        device = self.get(name)
        with self._database.change_of_devices(now=now) as db:
            db.execute(
                "UPDATE device SET removed_at = ?, store_key = NULL WHERE key_id = ?",
                (now, device.key_id),
            )
            db.execute("DELETE FROM token WHERE device = ?", (name,))
            lists = _read_by(db, device)
            _mark(db, lists, now)
        self._database.empty_log()
        return lists

    def assign(self, name: str, lists: Sequence[str], *, now: float) -> tuple[str, ...]:
        """Change which lists a device may read.

        Args:
            name: of the device.
            lists: ids; every list when empty.
            now: wall seconds.

        Returns:
            lists it could read and may not any more: each must be published under new keys.

        Raises:
            UsageError: there is no such device.
        """
        device = self.get(name)
        with self._database.change_of_devices(now=now) as db:
            db.execute("DELETE FROM assigned WHERE key_id = ?", (device.key_id,))
            db.executemany(
                "INSERT OR IGNORE INTO assigned VALUES (?, ?)",
                [(device.key_id, one) for one in lists],
            )
            lost = tuple(one for one in _read_by(db, device) if lists and one not in lists)
            _mark(db, lost, now)
        return lost

    def every(self) -> list[Device]:
        """Devices in the register, by name."""
        return self._devices("WHERE removed_at IS NULL ORDER BY name", ())

    def find(self, name: str) -> Device | None:
        found = self._devices("WHERE removed_at IS NULL AND name = ?", (name,))
        return found[0] if found else None

    def get(self, name: str) -> Device:
        """The device.

        Raises:
            UsageError: there is none of that name.
        """
        found = self.find(name)
        if found is not None:
            return found
        if any(token.device == name for token in self.tokens()):
            raise UsageError(
                f"{name}: was given a token and is not registered yet; bring its answer: "
                "`bodycam-hub devices add`"
            )
        raise UsageError(f"no such device: {name} (see `bodycam-hub devices list`)")

    def tokens(self) -> list[OpenToken]:
        """Tokens that were not answered yet, by name; also those whose time is over."""
        rows = self._database.read(
            "SELECT device, unlock, not_after FROM token WHERE used_at IS NULL ORDER BY device"
        )
        return [OpenToken(*row) for row in rows]

    def latest(self, name: str) -> Device:
        """The device of that name, removed or not, as it was provisioned last.

        Raises:
            UsageError: there never was one.
        """
        found = self._devices("WHERE name = ? ORDER BY added_at DESC, rowid DESC LIMIT 1", (name,))
        if not found:
            raise UsageError(f"no such device: {name} (see `bodycam-hub devices list`)")
        return found[0]

    def was_removed(self, name: str) -> bool:
        """Whether there was a device of that name once."""
        return bool(
            self._database.read(
                "SELECT 1 FROM device WHERE removed_at IS NOT NULL AND name = ? LIMIT 1", name
            )
        )

    def recipients(self, list_id: str) -> list[Device]:
        """Devices that may read a list, by name: envelopes are for these and no others."""
        return self._devices(
            "WHERE removed_at IS NULL AND (NOT EXISTS"
            " (SELECT 1 FROM assigned WHERE assigned.key_id = device.key_id) OR EXISTS"
            " (SELECT 1 FROM assigned WHERE assigned.key_id = device.key_id AND list = ?))"
            " ORDER BY name",
            (list_id,),
        )

    def granted(self, list_id: str, version: int, key_ids: Iterable[str]) -> None:
        """Note who can read a version. To be called before that version is published: a kill in
        between then costs a needless re-keying, never a missed one.
        """
        with self._database.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO reader VALUES (?, ?, ?)",
                [(list_id, one, version) for one in key_ids],
            )

    def next_command(self, device: Device) -> int:
        """The number of the next command to a device: on disk, and never given out again."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE device SET commands = commands + 1 WHERE key_id = ?", (device.key_id,)
            )
            row = db.execute("SELECT commands FROM device WHERE key_id = ?", (device.key_id,))
            number: int = row.fetchone()[0]
        return number

    def rekey_needed(self, list_id: str) -> bool:
        """Whether a device that could read the list may not any more: no key of it may be kept."""
        return bool(self._database.read("SELECT 1 FROM rekey WHERE list = ?", list_id))

    def rekeyed(self, list_id: str, key_ids: Iterable[str]) -> None:
        """Note that a version under all new keys is published, sealed to these devices alone.

        The mark stays when one of them may not read the list any more since.
        """
        kept = set(key_ids)
        with self._database.transaction() as db:
            rows = db.execute("SELECT key_id FROM reader WHERE list = ?", (list_id,)).fetchall()
            for (identity,) in rows:
                if identity not in kept:
                    db.execute(
                        "DELETE FROM reader WHERE list = ? AND key_id = ?", (list_id, identity)
                    )
            if kept <= {one.key_id for one in self.recipients(list_id)}:
                db.execute("DELETE FROM rekey WHERE list = ?", (list_id,))

    def forget(self, list_id: str) -> None:
        """A list is revoked as a whole: nobody reads it any more."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM reader WHERE list = ?", (list_id,))
            db.execute("DELETE FROM rekey WHERE list = ?", (list_id,))

    def waiting(self, published: Iterable[str] = ()) -> dict[str, tuple[str, ...]]:
        """Lists that need a publish, each with the reasons, in words.

        Args:
            published: ids of lists with entries, also those that no device could read so far.
        """
        found: dict[str, tuple[str, ...]] = {}
        read = {row[0] for row in self._database.read("SELECT DISTINCT list FROM reader")}
        for list_id in sorted(read.union(published)):
            rows = self._database.read("SELECT key_id FROM reader WHERE list = ?", list_id)
            readers = {row[0] for row in rows}
            new = [one.name for one in self.recipients(list_id) if one.key_id not in readers]
            reasons = [f"{name} cannot read it yet" for name in new]
            if self.rekey_needed(list_id):
                reasons.append("a device that may not any more can still read it")
            if reasons:
                found[list_id] = tuple(reasons)
        return found

    def lists_of(self, device: Device) -> tuple[str, ...]:
        """Lists it may read; empty means every list."""
        rows = self._database.read(
            "SELECT list FROM assigned WHERE key_id = ? ORDER BY list", device.key_id
        )
        return tuple(row[0] for row in rows)

    def _devices(self, where: str, values: tuple[Any, ...]) -> list[Device]:
        sql = f"SELECT {_COLUMNS} FROM device {where}"  # noqa: S608 -- constants of this module
        return [Device(*row) for row in self._database.read(sql, *values)]


def _read_by(db: sqlite3.Connection, device: Device) -> tuple[str, ...]:
    """Lists of which it was given a key."""
    rows = db.execute("SELECT list FROM reader WHERE key_id = ? ORDER BY list", (device.key_id,))
    return tuple(row[0] for row in rows.fetchall())


def _mark(db: sqlite3.Connection, lists: Sequence[str], now: float) -> None:
    """These need new keys."""
    db.executemany("INSERT OR IGNORE INTO rekey VALUES (?, ?)", [(one, now) for one in lists])
