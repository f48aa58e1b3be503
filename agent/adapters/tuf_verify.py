"""The verified metadata on disk, verified again from the trust root on, without the network.

`tuf.ngclient` does this at every look too; here it is for an operator who doubts the disk. That
something has expired is no fault of the disk: a device may be offline for days.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Signed, Snapshot, Targets, Timestamp

from agent.errors import DataError

_Signed = TypeVar("_Signed", bound=Signed)


@dataclass(frozen=True, slots=True)
class VerifiedMetadata:
    """What was found.

    Attributes:
        versions: by role.
        expires: wall seconds, by role.
    """

    versions: dict[str, int]
    expires: dict[str, float]


def verify_metadata(folder: Path, trust_root: bytes, *, role: str = "lists") -> VerifiedMetadata:
    """Every signature, version and hash from the trust root to a delegated role.

    Args:
        folder: where `tuf.ngclient` keeps what it verified.
        trust_root: root metadata as provisioned, bytes.
        role: the delegated one.

    Raises:
        DataError: which file is missing or wrong.
    """
    root, timestamp, snapshot, targets = _top(folder, trust_root)
    signed: dict[str, Signed] = {
        "root": root,
        "timestamp": timestamp,
        "snapshot": snapshot,
        "targets": targets,
        role: _read(folder, role, Targets, targets, _named(snapshot, role)),
    }
    return VerifiedMetadata(
        {name: one.version for name, one in signed.items()},
        {name: one.expires.timestamp() for name, one in signed.items()},
    )


def verified_targets(folder: Path, trust_root: bytes) -> Targets:
    """The delegations: which keys each delegated role has. Expired or not is the caller's to judge.

    Raises:
        DataError: as `verify_metadata`.
    """
    return _top(folder, trust_root)[-1]


def _top(folder: Path, trust_root: bytes) -> tuple[Root, Timestamp, Snapshot, Targets]:
    root = _newest_root(folder, trust_root)
    timestamp = _read(folder, "timestamp", Timestamp, root, None)
    snapshot = _read(folder, "snapshot", Snapshot, root, timestamp.snapshot_meta)
    targets = _read(folder, "targets", Targets, root, _named(snapshot, "targets"))
    return root, timestamp, snapshot, targets


def _newest_root(folder: Path, trust_root: bytes) -> Root:
    root = _checked("the trust root", lambda: _root(trust_root, None))
    history = folder / "root_history"
    while (path := history / f"{root.version + 1}.root.json").exists():
        before = root
        root = _checked(path.name, lambda: _root(path.read_bytes(), before))  # noqa: B023
    return root


def _root(data: bytes, before: Root | None) -> Root:
    metadata = Metadata[Root].from_bytes(data)
    for trusted in (before or metadata.signed, metadata.signed):
        trusted.verify_delegate("root", metadata.signed_bytes, metadata.signatures)
    if before is not None and metadata.signed.version != before.version + 1:
        raise RepositoryError("has another version than its name says")
    return metadata.signed


def _read(
    folder: Path, name: str, kind: type[_Signed], by: Root | Targets, named: MetaFile | None
) -> _Signed:
    def read() -> _Signed:
        data = (folder / f"{name}.json").read_bytes()
        if named is not None:
            named.verify_length_and_hashes(data)
        metadata: Metadata[Any] = Metadata.from_bytes(data)
        if not isinstance(metadata.signed, kind):
            raise RepositoryError(f"is no {name} metadata")
        by.verify_delegate(name, metadata.signed_bytes, metadata.signatures)
        if named is not None and metadata.signed.version != named.version:
            raise RepositoryError("is of another version than was signed for")
        return metadata.signed

    return _checked(f"{name}.json", read)


def _named(snapshot: Snapshot, role: str) -> MetaFile:
    found = snapshot.meta.get(f"{role}.json")
    if found is None:
        raise DataError(f"list metadata: snapshot.json does not name {role}.json: sync again")
    return found


def _checked(name: str, read: Callable[[], _Signed]) -> _Signed:
    try:
        return read()
    except OSError as error:
        why = (error.strerror or "cannot be read").lower()
    except (RepositoryError, ValueError) as error:
        why = " ".join(str(error).split())
    raise DataError(f"list metadata: {name}: {why}; delete tuf/ in the state folder and sync again")
