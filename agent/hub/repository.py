"""The agency's TUF repository: what changes it, and who must sign for that.

Files are written first, `timestamp.json` last: until then no client sees any of it, so a kill at
any moment leaves the old state or the new one, and both verify. What a state no longer names
stays for a grace time, for clients that are in the middle of a download.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from securesystemslib.signer import Signer
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, TargetFile, Targets

from agent.errors import DataError, MissingFileError, RefusedError
from agent.hub.files import locked
from agent.hub.keyring import KeyRing
from agent.hub.metadata import (
    State,
    chain,
    encode,
    new_state,
    refused_metadata,
    renew,
    sign,
    verify,
)
from agent.hub.public_folder import MAX_METADATA, PublicFolder
from agent.hub.roles import DELEGATED, ROLES, Periods, RoleKeys, check_apart

_NAME: Final = re.compile(r"[a-z]+/[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")

Source = bytes | Path
"""Content of a target: bytes, or a file that is read when it is published."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did.

    Attributes:
        versions: of every role.
        expires: of every role, wall seconds.
        written: target files that were not there before.
        removed: files whose grace time was over.
    """

    versions: Mapping[str, int]
    expires: Mapping[str, float]
    written: int
    removed: int


@dataclass
class Repository:
    """Changes are staged, and take effect together in `publish`, on top of what is then the
    present state: a timer that signs a new timestamp meanwhile does no harm.

    Attributes:
        folder: the files.
        ring: the keys.
        periods: how long signatures are good for.
        keep_s: seconds for which a file that is no longer named stays.
    """

    folder: PublicFolder
    ring: KeyRing
    periods: Periods
    keep_s: float = 86_400.0
    _staged: dict[str, dict[str, Source | None]] = field(default_factory=dict)

    def create(self, sizes: Mapping[str, RoleKeys], now: float) -> State:
        """Make keys and the first, empty state.

        Args:
            sizes: keys and threshold of every role.
            now: wall seconds.

        Raises:
            DiskError: a key or file cannot be written.
        """
        keys = {
            role: [self.ring.create(role, when=now) for _ in range(sizes[role].keys)]
            for role in ROLES
        }
        check_apart(keys)
        state = new_state(keys, sizes, self.periods, now)
        with self.lock():
            signers = self.signers(state, ROLES)
            sign(state.root, signers["root"])
            self.folder.write(state, "root", now)
            self.commit(state, state, signers, now)
        return state

    def load(self) -> State:
        """The present state, checked; see `PublicFolder.load`."""
        return self.folder.load()

    def targets(self, role: str) -> dict[str, TargetFile]:
        """What a role names at present, by target path."""
        return dict(self.load().targets[role].signed.targets)

    def read_target(self, path: str) -> bytes:
        """Content of a target as published.

        Raises:
            MissingFileError: no such target, or its file is gone.
            DataError: its file was changed.
        """
        role = path.partition("/")[0]
        target = self.targets(role).get(path) if role in DELEGATED else None
        if target is None:
            raise MissingFileError(f"{path}: not published")
        return self.folder.read_target(target)

    def stage(self, role: str, files: Mapping[str, Source]) -> None:
        """Add or replace targets at the next `publish`.

        Args:
            role: a delegated one.
            files: by target path, `ROLE/NAME`.

        Raises:
            ValueError: that role may not sign such a path.
        """
        for path in files:
            if role not in DELEGATED or not path.startswith(f"{role}/"):
                raise ValueError(f"{role} may not sign {path}")
            if not _NAME.fullmatch(path):
                raise ValueError(f"{path}: not a name for a target")
        self._staged.setdefault(role, {}).update(files)

    def remove(self, role: str, paths: Iterable[str]) -> None:
        """Stop naming targets, from the next `publish` on; those not named are passed over."""
        self._staged.setdefault(role, {}).update(dict.fromkeys(paths))

    def publish(self, now: float) -> Published:
        """Sign what is staged, then snapshot and timestamp, and put it where clients see it.

        Args:
            now: wall seconds.

        Raises:
            MissingFileError: too few key files are within reach; nothing has changed.
            RefusedError: a passphrase is wrong, or a key file readable; nothing has changed.
            DataError: the public folder does not verify; nothing has changed.
            DiskError: a file cannot be written; clients still see the old state.
        """
        done = self._renew(self._staged, now)
        self._staged = {}
        return done

    def refresh(self, roles: Iterable[str], now: float) -> Published:
        """Sign `targets` or delegated roles anew with a later expiry; snapshot and timestamp
        always. What is staged stays staged.

        Raises:
            as `publish`.
        """
        return self._renew({role: {} for role in roles}, now)

    def refresh_root(self, now: float) -> State:
        """The same keys, a new version of root with a later expiry.

        Raises:
            as `publish`.
        """
        with self.lock():
            state = self.load()
            renew(state.root.signed, "root", self.periods, now)
            sign(state.root, self.signers(state, ["root"])["root"])
            self.folder.write(state, "root", now)
        return state

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """No other command changes this hub meanwhile. Not to be taken twice."""
        with locked(self.ring.working.parent):
            yield

    def signers(self, state: State, roles: Iterable[str]) -> dict[str, list[Signer]]:
        """A threshold of signers for each role; opens their key files.

        Raises:
            MissingFileError: too few are within reach.
            RefusedError: a wrong passphrase, or a file readable by others.
        """
        keys = state.keys
        return {role: list(self.ring.signers(role, *keys[role])) for role in dict.fromkeys(roles)}

    def draft(self, role: str, files: Mapping[str, bytes], now: float) -> Metadata[Targets]:
        """The next version of a delegated role with these targets in the place of all others,
        unsigned, for people who sign it elsewhere; see `publish_signed`.
        """
        metadata = self.load().copy().targets[role]
        metadata.signatures.clear()
        metadata.signed.targets = {
            path: TargetFile.from_data(path, data, ["sha256"]) for path, data in files.items()
        }
        renew(metadata.signed, role, self.periods, now)
        return metadata

    def publish_signed(
        self, role: str, metadata: Metadata[Targets], files: Mapping[str, bytes], now: float
    ) -> Published:
        """Publish what `draft` gave and a threshold of the role's keys signed since.

        Raises:
            RefusedError: too few signed, or another version was published meanwhile.
            DataError: a file is not what was signed for.
            BodycamError: as `publish`.
        """
        with self.lock():
            before = self.load()
            state = before.copy()
            _require_next(role, metadata, state)
            state.targets[role] = metadata
            signers = self.signers(state, ["snapshot", "timestamp"])
            for path, target in metadata.signed.targets.items():
                with refused_metadata(path):
                    target.verify_length_and_hashes(files[path])
                self.folder.place(target, files[path], now)
            self.commit(before, state, signers, now, signed=(role,))
            return _published(state, len(files), self.folder.collect(state, now, self.keep_s))

    def commit(
        self,
        before: State,
        state: State,
        signers: Mapping[str, list[Signer]],
        now: float,
        *,
        signed: Collection[str] = (),
    ) -> None:
        """Sign and write the targets roles that have signers, snapshot, and timestamp last.

        Versions of the roles are already new; those of snapshot and timestamp are raised here.
        `signed` are roles that are signed already, and written as they are.
        """
        for role in ("snapshot", "timestamp"):
            renew(state.of(role).signed, role, self.periods, now)
        chain(state, signers)
        for role in [one for one in state.targets if one in signers or one in signed]:
            self.folder.write(state, role, now)
        self.folder.write(state, "snapshot", now)
        self.folder.supersede(before, state, now)
        self.folder.write(state, "timestamp", now)

    def _renew(self, staged: Mapping[str, Mapping[str, Source | None]], now: float) -> Published:
        with self.lock():
            before = self.load()
            state = before.copy()
            signers = self.signers(state, [*staged, "snapshot", "timestamp"])
            written = sum(self._apply(state, role, staged[role], now) for role in staged)
            self.commit(before, state, signers, now)
            return _published(state, written, self.folder.collect(state, now, self.keep_s))

    def _apply(
        self, state: State, role: str, files: Mapping[str, Source | None], now: float
    ) -> int:
        signed = state.targets[role].signed
        written = 0
        for path, source in files.items():
            if source is None:
                signed.targets.pop(path, None)
                continue
            data = source if isinstance(source, bytes) else _content(source)
            signed.targets[path] = target = TargetFile.from_data(path, data, ["sha256"])
            written += self.folder.place(target, data, now)
        renew(signed, role, self.periods, now)
        if len(encode(state.targets[role])) > MAX_METADATA:
            raise DataError(f"{role}: names more targets than clients accept; make shards larger")
        return written


def _require_next(role: str, metadata: Metadata[Targets], state: State) -> None:
    present = state.targets[role].signed.version
    if metadata.signed.version != present + 1:
        raise RefusedError(
            f"{role}: something else was signed for this role since the draft was made "
            f"(signature {metadata.signed.version}; {present} is published): make a new draft"
        )
    try:
        verify(state.targets["targets"].signed, role, metadata)
    except RepositoryError:
        keys, threshold = state.keys[role]
        raise RefusedError(
            f"{role}: {threshold} of its {len(keys)} keys must sign, and fewer have"
        ) from None


def _published(state: State, written: int, removed: int) -> Published:
    signed = {role: state.of(role).signed for role in ROLES}
    return Published(
        {role: one.version for role, one in signed.items()},
        {role: one.expires.timestamp() for role, one in signed.items()},
        written,
        removed,
    )


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MissingFileError(f"{path}: {(error.strerror or str(error)).lower()}") from None
