"""New keys for a role, so that devices follow without a moment in which nothing verifies.

Delegated roles: `targets` names the new keys and the role is signed by them, in one snapshot.
`root`: a new version signed by the old and the new keys. The other top-level roles are first
signed by the old and the new keys, and then a new root names the new ones alone: whatever is
killed when, what is there verifies. With a lost key that is impossible: `lost=True` signs with
the new keys only, root first, and may be run again when it was killed in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import Key, Signer, SSlibKey

from agent.errors import BodycamError, UsageError
from agent.hub.keyring import KeyRing
from agent.hub.metadata import State, renew, set_keys, sign
from agent.hub.repository import Repository
from agent.hub.roles import DELEGATED, OFFLINE, RoleKeys, check_apart


@dataclass(frozen=True, slots=True)
class Change:
    """Which keys of a role are replaced by what.

    Attributes:
        role: the role.
        only: beginnings of the ids of keys to replace; all when empty.
        size: keys and threshold afterwards; as before when None.
        given: keys made elsewhere, taken before new ones are made.
        lost: the old keys cannot sign any more.
    """

    role: str
    only: tuple[str, ...] = ()
    size: RoleKeys | None = None
    given: tuple[Ed25519PrivateKey, ...] = ()
    lost: bool = False


@dataclass(frozen=True, slots=True)
class _Likes:
    """Key files whose passphrases new keys get, so that none gets one by the order in which the
    command was given them.

    Attributes:
        replaced: by the new keys, in turn.
        others: online keys, where those are lost; nothing stands in for a lost offline key.
    """

    replaced: list[Path]
    others: list[Path]

    def of(self, number: int) -> list[Path]:
        """For the new key of this number, the likely ones first."""
        at = number % max(1, len(self.replaced))
        return [*self.replaced[at:], *self.replaced[:at], *self.others]


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did.

    Attributes:
        added, retired: ids of keys.
        root: version of root afterwards.
    """

    added: tuple[str, ...]
    retired: tuple[str, ...]
    root: int


def rotate(repository: Repository, change: Change, now: float) -> Rotated:
    """Replace keys of one role.

    Args:
        repository: of the hub.
        change: which.
        now: wall seconds.

    Raises:
        UsageError: no such key, or the sizes do not fit.
        RefusedError: a given key serves another role; a wrong passphrase.
        MissingFileError: keys that must sign are not within reach.
    """
    with repository.lock():
        before = repository.folder.load(also_previous_root=change.lost)
        old, threshold = before.keys[change.role]
        kept = [key for key in old if change.only and not key.keyid.startswith(change.only)]
        _check_names(change, old)
        size = change.size or RoleKeys(len(old), threshold)
        repository.signers(before, _must_sign(change))  # before any key is made
        retired = [key for key in old if key not in kept]
        likes = _likes(repository.ring, change, before, retired)
        with _no_orphans(repository, change.role):
            added = _new_keys(repository, change, before, size.keys - len(kept), likes, now=now)
            after = before.copy()
            root, targets = after.root.signed, after.targets["targets"].signed
            set_keys(root, targets, change.role, [*kept, *added], size.threshold)
            _sign(repository, change, before, after, now)
        ids = tuple(key.keyid for key in retired)
        return Rotated(tuple(key.keyid for key in added), ids, root.version)


@contextmanager
def _no_orphans(repository: Repository, role: str) -> Iterator[None]:
    """When it fails, no key file is left that serves nothing; nor is one taken away that serves."""
    ring = repository.ring
    there = set(ring.files_of(role))
    try:
        yield
    except Exception:
        with suppress(BodycamError):
            keys = repository.folder.load().keys[role][0]
            serving = {ring.locate(role, key.keyid) for key in keys}
            for path in set(ring.files_of(role)) - there - serving:
                ring.files.disk.remove(path)
        raise


def _likes(ring: KeyRing, change: Change, before: State, retired: Sequence[Key]) -> _Likes:
    replaced = [] if change.lost else ring.open_within_reach(change.role, retired)
    if change.role in OFFLINE:
        return _Likes(replaced, [])
    keys = before.keys
    roles = [role for role in ("snapshot", "timestamp") if role != change.role]
    found = [ring.locate(role, key.keyid) for role in roles for key in keys[role][0]]
    return _Likes(replaced, [path for path in found if path])


def _must_sign(change: Change) -> list[str]:
    """Roles whose present keys are needed."""
    if change.role == "root":
        return ["root"]
    if change.role in DELEGATED:
        return ["targets", "snapshot", "timestamp"]
    needed = {"root", "snapshot", "timestamp", change.role}
    return sorted(needed - {change.role} if change.lost else needed)


def _check_names(change: Change, old: Sequence[Key]) -> None:
    for name in change.only:
        if sum(key.keyid.startswith(name) for key in old) != 1:
            raise UsageError(
                f"{name}: not the beginning of one key id of {change.role}; "
                "see `bodycam-hub keys list`"
            )


def _new_keys(
    repository: Repository,
    change: Change,
    before: State,
    count: int,
    likes: _Likes,
    *,
    now: float,
) -> list[SSlibKey]:
    """Make or adopt keys, once it is sure that they may serve this role."""
    ring = repository.ring
    if count < max(1, len(change.given)):
        raise UsageError(f"{change.role}: nothing to replace with these numbers of keys")
    public = [SSlibKey.from_crypto(one.public_key()) for one in change.given]
    check_apart(
        {role: keys for role, (keys, _) in before.keys.items()} | {f"{change.role} (new)": public}
    )
    given = [
        ring.adopt(change.role, one, when=now, likes=likes.of(number))
        for number, one in enumerate(change.given)
    ]
    return given + [
        ring.create(change.role, when=now, likes=likes.of(number))
        for number in range(len(given), count)
    ]


def _sign(repository: Repository, change: Change, before: State, after: State, now: float) -> None:
    if change.role in DELEGATED:
        _sign_delegated(repository, change.role, before, after, now)
        return
    renew(after.root.signed, "root", repository.periods, now)
    sign(after.root, _both(repository, "root", before, after))
    if change.role == "root":
        repository.folder.write(after, "root", now)
        return
    _sign_top(repository, change, before, after, now)


def _sign_delegated(
    repository: Repository, role: str, before: State, after: State, now: float
) -> None:
    roles = ("targets", role)
    signers = repository.signers(after, [*roles, "snapshot", "timestamp"])
    for one in roles:
        renew(after.targets[one].signed, one, repository.periods, now)
    repository.commit(before, after, signers, now)


def _sign_top(
    repository: Repository, change: Change, before: State, after: State, now: float
) -> None:
    """Targets, snapshot or timestamp: `after.root` is signed, and not written yet."""
    role = change.role
    signers = repository.signers(after, [role, "snapshot", "timestamp"])
    if not change.lost:
        signers[role] = _both(repository, role, before, after)
    if role == "targets":
        renew(after.targets[role].signed, role, repository.periods, now)
    if change.lost:
        repository.folder.write(after, "root", now)
    repository.commit(before, after, signers, now)
    if not change.lost:
        repository.folder.write(after, "root", now)


def _both(repository: Repository, role: str, before: State, after: State) -> list[Signer]:
    """A threshold of the old keys and one of the new, none twice."""
    old = repository.signers(before, [role])[role]
    new = repository.signers(after, [role])[role]
    return list({one.public_key.keyid: one for one in [*old, *new]}.values())
