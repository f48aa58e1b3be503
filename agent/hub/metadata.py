"""What the repository says, as signed metadata: made, chained and checked without touching a file.

Invariants of a `State` that `check` holds:
- root is signed by a threshold of its own keys, and no key serves two roles;
- timestamp, snapshot and targets are signed by the keys that root names, each delegated role by
  those that targets names;
- the timestamp names the snapshot and the snapshot names every role, by version, length and hash.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, TypeAlias

from securesystemslib.signer import Key, Signer
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Role,
    Root,
    Signed,
    Snapshot,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from agent.errors import DataError
from agent.hub.roles import DELEGATED, ROLES, Periods, RoleKeys, check_apart, role_keys

Keys: TypeAlias = Mapping[str, tuple[list[Key], int]]
"""Keys and threshold of every role."""


@dataclass
class State:
    """One consistent state of the repository.

    Attributes:
        root, timestamp, snapshot: the top-level metadata.
        targets: that of `targets` and of every delegated role, by role.
    """

    root: Metadata[Root]
    timestamp: Metadata[Timestamp]
    snapshot: Metadata[Snapshot]
    targets: dict[str, Metadata[Targets]]

    @property
    def keys(self) -> Keys:
        return role_keys(self.root.signed, self.targets["targets"].signed)

    def of(self, role: str) -> Metadata[Any]:
        top: dict[str, Metadata[Any]] = {
            "root": self.root,
            "timestamp": self.timestamp,
            "snapshot": self.snapshot,
        }
        return top[role] if role in top else self.targets[role]

    def copy(self) -> State:
        return copy.deepcopy(self)

    def check(self, roots: Sequence[Root] = ()) -> None:
        """Check the invariants.

        Args:
            roots: also accepted as naming the keys of timestamp, snapshot and targets; for the
                moment in which a lost key is replaced.

        Raises:
            DataError: one does not hold.
            RefusedError: a key serves two roles.
        """
        with refused_metadata("the repository"):
            verify(self.root.signed, "root", self.root)
            for role in ("timestamp", "snapshot", "targets"):
                _verify_any((self.root.signed, *roots), role, self.of(role))
            for role in DELEGATED:
                verify(self.targets["targets"].signed, role, self.targets[role])
            self._check_chain()
        check_apart({role: keys for role, (keys, _) in self.keys.items()})

    def _check_chain(self) -> None:
        snapshot = encode(self.snapshot)
        self.timestamp.signed.snapshot_meta.verify_length_and_hashes(snapshot)
        for role, metadata in self.targets.items():
            self.snapshot.signed.meta[f"{role}.json"].verify_length_and_hashes(encode(metadata))


def new_state(
    keys: Mapping[str, Sequence[Key]], sizes: Mapping[str, RoleKeys], periods: Periods, now: float
) -> State:
    """The unsigned metadata of an empty repository.

    Args:
        keys: of every role.
        sizes: whose thresholds apply.
        periods: how long each role is good for.
        now: wall seconds.
    """

    def end(role: str) -> datetime:
        return moment(periods.end(role, now))

    root = Root(version=1, expires=end("root"), consistent_snapshot=True)
    targets = Targets(version=1, expires=end("targets"))
    targets.delegations = Delegations({}, {})
    for role in ROLES:
        set_keys(root, targets, role, keys[role], sizes[role].threshold)
    timestamp, snapshot = Timestamp(expires=end("timestamp")), Snapshot(expires=end("snapshot"))
    timestamp.version = snapshot.version = 0  # the first commit makes them 1
    return State(
        Metadata(root),
        Metadata(timestamp),
        Metadata(snapshot),
        {"targets": Metadata(targets)}
        | {role: Metadata(Targets(version=1, expires=end(role))) for role in DELEGATED},
    )


def set_keys(root: Root, targets: Targets, role: str, keys: Sequence[Key], threshold: int) -> None:
    """Name the keys of a role where they are named, and forget keys that no role uses."""
    ids = [key.keyid for key in keys]
    if role in DELEGATED:
        delegations = targets.delegations or Delegations({}, {})
        roles = dict(delegations.roles or {})
        roles[role] = DelegatedRole(role, ids, threshold, terminating=True, paths=[f"{role}/*"])
        used = _used(delegations.keys, keys, roles)
        targets.delegations = Delegations(used, roles)
    else:
        root.roles[role] = Role(ids, threshold)
        root.keys = _used(root.keys, keys, root.roles)


def renew(signed: Signed, role: str, periods: Periods, now: float) -> None:
    """The next version, good for the role's period."""
    signed.version += 1
    signed.expires = moment(periods.end(role, now))


def sign(metadata: Metadata[Any], signers: Sequence[Signer]) -> None:
    """Replace all signatures."""
    metadata.signatures.clear()
    for signer in signers:
        metadata.sign(signer, append=True)


def chain(state: State, signers: Mapping[str, Sequence[Signer]]) -> None:
    """Sign what has signers, snapshot and timestamp naming the rest."""
    for role, metadata in state.targets.items():
        if role in signers:
            sign(metadata, signers[role])
        state.snapshot.signed.meta[f"{role}.json"] = meta_file(metadata)
    sign(state.snapshot, signers["snapshot"])
    state.timestamp.signed.snapshot_meta = meta_file(state.snapshot)
    sign(state.timestamp, signers["timestamp"])


def meta_file(metadata: Metadata[Any]) -> MetaFile:
    return MetaFile.from_data(metadata.signed.version, encode(metadata), ["sha256"])


def encode(metadata: Metadata[Any]) -> bytes:
    """The bytes of the file."""
    return metadata.to_bytes(JSONSerializer(compact=True))


def verify(delegator: Root | Targets, role: str, metadata: Metadata[Any]) -> None:
    """Whether a threshold of the role's keys signed.

    Raises:
        RepositoryError: too few did.
    """
    delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)


def moment(wall_s: float) -> datetime:
    """Whole seconds, UTC, as metadata has them."""
    return datetime.fromtimestamp(int(wall_s), tz=timezone.utc)


@contextlib.contextmanager
def refused_metadata(what: str) -> Iterator[None]:
    """One line for metadata that does not verify or parse.

    Raises:
        DataError: the body raised an error of TUF's, or missed a name.
    """
    try:
        yield
    except (RepositoryError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{what} does not verify ({reason}); restore the public folder from a copy"
        ) from None


def _verify_any(roots: Sequence[Root], role: str, metadata: Metadata[Any]) -> None:
    present, *older = roots
    try:
        verify(present, role, metadata)
    except RepositoryError:
        if not older:
            raise
        _verify_any(older, role, metadata)


def _used(
    known: Mapping[str, Key], added: Sequence[Key], roles: Mapping[str, Role]
) -> dict[str, Key]:
    every = {**known, **{key.keyid: key for key in added}}
    ids = {keyid for role in roles.values() for keyid in role.keyids}
    return {keyid: key for keyid, key in every.items() if keyid in ids}
