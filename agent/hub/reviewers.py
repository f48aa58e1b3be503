"""The people who compare and decide: each with a key of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.adapters.sealing import key_id
from agent.adapters.signing import KeySigner
from agent.errors import DataError, UsageError
from agent.hub.chain import write_log
from agent.hub.events_database import EventsDatabase
from agent.hub.keyfiles import KeyFiles
from agent.hub.review_records import Reviewer

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.@-]{0,63}")
_RULE: Final = "reviewers_needed"


@dataclass(frozen=True, slots=True)
class Reviewers:
    """The register of reviewers in the database of events.

    Attributes:
        database: of events.
        least: different keys that the policy in force asks for.
    """

    database: EventsDatabase
    least: int = 1

    def add(self, name: str, path: Path, files: KeyFiles, *, now: float) -> Reviewer:
        """Make a reviewer's key.

        Args:
            name: of the person; letters, digits and ` _.@-`.
            path: of the new key file.
            files: locks it with the person's own passphrase.
            now: wall seconds.

        Raises:
            UsageError: no name, one that is taken, or the file is there already.
            DiskError: it cannot be written.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r}: a reviewer's name has letters, digits and ` _.@-`")
        if self.find(name) is not None:
            raise UsageError(f"{name}: is a reviewer already")
        if path.exists():
            raise UsageError(f"{path}: is there already; choose another --key FILE")
        private = Ed25519PrivateKey.generate()
        files.save(path, private, offline=False, when=now)
        made = Reviewer(name, private.public_key().public_bytes_raw(), now)
        with self.database.transaction() as db:
            row = (made.key_id, name, made.public, now)
            db.execute(
                "INSERT INTO reviewer (key_id, name, public, added) VALUES (?, ?, ?, ?)", row
            )
            write_log(db, "reviewer", now, signer=made.key_id, change="added")
        return made

    def remove(self, name: str, *, now: float) -> None:
        """What the person signed so far still counts.

        Raises:
            UsageError: there is no such reviewer.
        """
        reviewer = self.get(name)
        with self.database.transaction() as db:
            db.execute("UPDATE reviewer SET removed = ? WHERE key_id = ?", (now, reviewer.key_id))
            write_log(db, "reviewer", now, signer=reviewer.key_id, change="removed")

    def find(self, name: str) -> Reviewer | None:
        return next((one for one in self.every() if one.name == name and not one.removed), None)

    def get(self, name: str) -> Reviewer:
        """The reviewer.

        Raises:
            UsageError: there is none of that name.
        """
        found = self.find(name)
        if found is None:
            raise UsageError(f"no reviewer {name} (see `bodycam-hub reviewers list`)")
        return found

    def every(self) -> list[Reviewer]:
        """Also those who no longer are, by name and time."""
        rows = self.database.read(
            "SELECT name, public, added, removed FROM reviewer ORDER BY name, added"
        )
        return [Reviewer(*row) for row in rows]

    def signer(self, name: str, path: Path, files: KeyFiles) -> KeySigner:
        """Open a reviewer's key.

        Raises:
            UsageError: there is no such reviewer.
            MissingFileError, RefusedError: no such file, or a wrong passphrase.
            DataError: it holds another key.
        """
        reviewer = self.get(name)
        private = files.load(path)
        public = private.public_key().public_bytes_raw()
        if not isinstance(private, Ed25519PrivateKey) or key_id(public) != reviewer.key_id:
            raise DataError(f"{path}: not the key of {name}; name it with --key FILE")
        return KeySigner(private)

    @property
    def needed(self) -> int:
        """Different keys that must confirm."""
        return max(self.least, int(self.database.setting(_RULE) or 1))

    def require(self, needed: int, *, now: float) -> None:
        """From now on, for every event that is not yet confirmed or rejected, and for all others:
        a status is not kept, it follows from the reviews.
        """
        with self.database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (_RULE, str(needed)))
            write_log(db, "reviewer", now, needed=needed)


def key_path(keys: Path, name: str) -> Path:
    """Where a reviewer's key is unless it is named."""
    return keys / "reviewers" / f"{name.replace(' ', '_')}.pem"
