"""The files of the repository: read and checked, written in an order that survives a kill."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

from agent.errors import DataError, MissingFileError
from agent.hub.database import HubDatabase
from agent.hub.files import Disk, read_bounded, reported
from agent.hub.metadata import State, encode, refused_metadata
from agent.hub.roles import DELEGATED

MAX_METADATA: Final = 5_000_000
"""Bytes of one metadata file that clients accept (`targets_max_length` of ngclient)."""
_ROOT_NAME: Final = re.compile(r"(\d{1,9})\.root\.json")


@dataclass
class PublicFolder:
    """`metadata/` and `targets/`, as any web server serves them.

    Attributes:
        path: of the folder.
        database: remembers the newest versions, so that an older copy put back is noticed.
        disk: writes files.
    """

    path: Path
    database: HubDatabase
    disk: Disk = field(default_factory=Disk)

    def load(self, *, also_previous_root: bool = False) -> State:
        """Read and check the present state; expired signatures are fine.

        Args:
            also_previous_root: accept what the root before the present one vouches for.

        Raises:
            MissingFileError: a metadata file is not there.
            DataError: it does not verify, or is older than what was published.
        """
        number = self.root_version()
        root = self._read(number, "root", Root)
        timestamp = self._timestamp()
        snapshot = self._read(timestamp.signed.snapshot_meta.version, "snapshot", Snapshot)
        with refused_metadata(str(self.path / "metadata")):
            versions = {
                role: snapshot.signed.meta[f"{role}.json"].version
                for role in ("targets", *DELEGATED)
            }
        targets = {role: self._read(one, role, Targets) for role, one in versions.items()}
        state = State(root, timestamp, snapshot, targets)
        older = also_previous_root and number > 1
        state.check([self._read(number - 1, "root", Root).signed] if older else [])
        self._check_floor(state)
        return state

    def read_target(self, target: TargetFile) -> bytes:
        """Content of a target.

        Raises:
            DataError: its file is gone, or was changed.
        """
        file = self._target(target)
        if not file.exists():
            raise DataError(
                f"{file} is published and gone: restore it from a copy of the public folder, such "
                "as the one that is served"
            )
        data = read_bounded(file, target.length)
        with refused_metadata(str(file)):
            target.verify_length_and_hashes(data)
        return data

    def root_version(self) -> int:
        """The newest.

        Raises:
            MissingFileError: there is none at all.
        """
        found = (_ROOT_NAME.fullmatch(one.name) for one in (self.path / "metadata").glob("*.json"))
        versions = [int(one[1]) for one in found if one]
        if not versions:
            raise MissingFileError(f"{self.path}/metadata: no root metadata; restore a copy")
        return max(versions)

    def root_bytes(self, version: int) -> bytes:
        return read_bounded(self._metadata(version, "root"), MAX_METADATA)

    def place(self, target: TargetFile, data: bytes, now: float) -> bool:
        """Write a target's file; False when it is there already."""
        path = self._target(target)
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256_of(target):
            return False
        self.disk.write(path, data, when=now)
        return True

    def write(self, state: State, role: str, now: float) -> None:
        """Write the metadata of one role; that of root and timestamp takes effect at once."""
        metadata = state.of(role)
        version = None if role == "timestamp" else metadata.signed.version
        self.disk.write(self._metadata(version, role), encode(metadata), when=now)
        if role in ("root", "timestamp"):
            self.database.set_setting(f"floor.{role}", str(metadata.signed.version))

    def supersede(self, before: State, after: State, now: float) -> None:
        """The grace time of what is about to be replaced begins now."""
        for name in _named(before) - _named(after):
            with reported(self.path / name), contextlib.suppress(FileNotFoundError):
                os.utime(self.path / name, (now, now))

    def collect(self, state: State, now: float, keep_s: float) -> int:
        """Delete files that the state does not name and whose grace time is over; how many."""
        named = _named(state)
        with reported(self.path):
            gone = [path for path in self.path.rglob("*") if self._over(path, named, now - keep_s)]
        for path in gone:
            self.disk.remove(path)
        return len(gone)

    def _over(self, path: Path, named: Collection[str], before: float) -> bool:
        if not path.is_file() or path.relative_to(self.path).as_posix() in named:
            return False
        return path.name.startswith(".") or path.stat().st_mtime <= before

    def ahead_of_database(self) -> bool:
        """Whether more was published than the database remembers: it is an older copy. A kill
        between a file and the note of it leaves one version.
        """
        newest = {"root": self.root_version(), "timestamp": self._timestamp().signed.version}
        return any(version > self._floor(role) + 1 for role, version in newest.items())

    def catch_up(self) -> None:
        """The database remembers what is published now."""
        newest = {"root": self.root_version(), "timestamp": self._timestamp().signed.version}
        for role, version in newest.items():
            self.database.set_setting(f"floor.{role}", str(max(version, self._floor(role))))

    def _floor(self, role: str) -> int:
        return int(self.database.setting(f"floor.{role}") or 0)

    def _timestamp(self) -> Metadata[Timestamp]:
        return self._parse(self._metadata(None, "timestamp"), Timestamp)

    def _check_floor(self, state: State) -> None:
        for role in ("root", "timestamp"):
            newest = self._floor(role)
            version = state.of(role).signed.version
            if version < newest:
                raise DataError(
                    f"{self.path}: {role} is version {version}, but {newest} was published; "
                    "restore the newest copy, devices refuse older ones"
                )

    def _read(self, version: int, role: str, kind: type[Any]) -> Metadata[Any]:
        metadata = self._parse(self._metadata(version, role), kind)
        if metadata.signed.version != version:
            path = self._metadata(version, role)
            raise DataError(f"{path}: holds another version; restore a copy")
        return metadata

    def _parse(self, path: Path, kind: type[Any]) -> Metadata[Any]:
        data = read_bounded(path, MAX_METADATA)
        with refused_metadata(str(path)):
            metadata: Metadata[Any] = Metadata.from_bytes(data)
        if not isinstance(metadata.signed, kind):
            raise DataError(f"{path}: holds metadata of another role; restore a copy")
        return metadata

    def _metadata(self, version: int | None, role: str) -> Path:
        name = f"{role}.json" if version is None else f"{version}.{role}.json"
        return self.path / "metadata" / name

    def _target(self, target: TargetFile) -> Path:
        return self.path / "targets" / target.get_prefixed_paths()[0]


def sha256_of(target: TargetFile) -> str:
    return target.hashes["sha256"]


def _named(state: State) -> set[str]:
    """Paths, relative to the public folder, of every file of a state, and of every root."""
    names = {
        f"metadata/{state.of(role).signed.version}.{role}.json"
        for role in ("snapshot", *state.targets)
    }
    names |= {f"metadata/{number}.root.json" for number in range(1, state.root.signed.version + 1)}
    for metadata in state.targets.values():
        for target in metadata.signed.targets.values():
            names.add(f"targets/{target.get_prefixed_paths()[0]}")
    return names | {"metadata/timestamp.json"}
