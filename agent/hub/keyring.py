"""Finds, opens and makes the keys of roles. A file is named by role and key id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from securesystemslib.signer import CryptoSigner, Key, SSlibKey

from agent.adapters.sealing import key_id
from agent.errors import DataError, MissingFileError, RefusedError
from agent.hub.files import require_folder
from agent.hub.keyfiles import KeyFiles, PrivateKey
from agent.hub.roles import OFFLINE

_SHOWN: Final = 12
RELEASE: Final = "release"
ALERTS: Final = "alerts"
ACKS: Final = "acks"
PLAIN: Final = (RELEASE, ALERTS, ACKS)
"""Keys that are no TUF role: what opens stores, what opens events, what acknowledges them."""


@dataclass
class KeyRing:
    """Keys of the hub.

    Attributes:
        working: folder of the keys that the hub needs every day.
        offline: folders where offline keys are looked for; new ones go into the first.
        files: reads and writes key files.
    """

    working: Path
    offline: tuple[Path, ...]
    files: KeyFiles
    _opened: dict[Path, PrivateKey] = field(default_factory=dict)

    def create(self, role: str, *, when: float, likes: Sequence[Path] | None = None) -> SSlibKey:
        """Make a key for a role; its public half. For `likes` see `KeyFiles.save`.

        Raises:
            DiskError: it cannot be written.
        """
        return self.adopt(role, Ed25519PrivateKey.generate(), when=when, likes=likes)

    def adopt(
        self,
        role: str,
        private: Ed25519PrivateKey,
        *,
        when: float,
        likes: Sequence[Path] | None = None,
    ) -> SSlibKey:
        """Keep a key made elsewhere, for a role; its public half.

        Raises:
            MissingFileError: the folder of offline keys is not there.
            DiskError: it cannot be written.
        """
        key = SSlibKey.from_crypto(private.public_key())
        path = self._folders(role)[0] / file_name(role, key.keyid)
        if role in OFFLINE and likes is not None:
            require_folder(path)
        self.files.save(path, private, offline=role in OFFLINE, when=when, likes=likes)
        self._opened[path] = private
        return key

    def files_of(self, role: str) -> list[Path]:
        """Every key file of a role, whether it serves or not."""
        pattern = file_name(role, "*")
        return sorted(path for one in self._folders(role) for path in one.glob(pattern))

    def signers(self, role: str, keys: Sequence[Key], threshold: int) -> list[CryptoSigner]:
        """As many signers as the role needs.

        Raises:
            MissingFileError: too few of its key files are there; says which are not, and where.
            RefusedError: a wrong passphrase, or a file that others may read.
            DataError: a file holds another key than its name says.
        """
        found = [(key, path) for key in keys if (path := self.locate(role, key.keyid))]
        if len(found) < threshold:
            raise self._missing(role, keys, threshold, len(found))
        return [self._signer(key, path) for key, path in found[:threshold]]

    def open_within_reach(self, role: str, keys: Sequence[Key]) -> list[Path]:
        """Open what is there of some keys, so that their passphrases are known; where they are.

        Raises:
            RefusedError: files are there, and none of them opens.
        """
        paths = [path for key in keys if (path := self.locate(role, key.keyid))]
        refused = {path: self._refused(path) for path in paths}
        opened = [path for path in paths if refused[path] is None]
        for error in refused.values():
            if error and not opened:
                raise error
        return opened

    def private(self, role: str, keys: Sequence[Key]) -> Ed25519PrivateKey:
        """One of a role's keys itself, to sign what is no metadata; errors as `signers`."""
        (signer,) = self.signers(role, keys, 1)
        path = self.locate(role, signer.public_key.keyid)
        private = None if path is None else self._open(path)
        if not isinstance(private, Ed25519PrivateKey):
            raise DataError(f"{path}: expected an Ed25519 key")
        return private

    def locate(self, role: str, keyid: str) -> Path | None:
        """Where the file of a key is, if it is within reach."""
        name = file_name(role, keyid)
        return next((one / name for one in self._folders(role) if (one / name).exists()), None)

    def create_release(self, *, when: float, likes: Sequence[Path] | None = None) -> bytes:
        """Make the key that device stores are sealed to; its 32 public bytes."""
        return self._create(RELEASE, X25519PrivateKey.generate(), when, likes)

    def create_alerts(self, *, when: float, likes: Sequence[Path] | None = None) -> bytes:
        """Make the key that events are sealed to; its 32 public bytes."""
        return self._create(ALERTS, X25519PrivateKey.generate(), when, likes)

    def create_acks(self, *, when: float, likes: Sequence[Path] | None = None) -> bytes:
        """Make the key that acknowledges events; its 32 public bytes."""
        return self._create(ACKS, Ed25519PrivateKey.generate(), when, likes)

    def plain_path(self, use: str, public: bytes) -> Path:
        """Where the file of a key that is no role's is, or was."""
        return self.working / file_name(use, key_id(public))

    def release_key(self, public: bytes) -> X25519PrivateKey:
        """Open the release key.

        Raises:
            MissingFileError: its file is not there.
            RefusedError: a wrong passphrase, or a file that others may read.
        """
        return self._exchange(RELEASE, public)

    def alerts_key(self, public: bytes) -> X25519PrivateKey:
        """Open a key that events were sealed to, the present one or an older; as `release_key`."""
        return self._exchange(ALERTS, public)

    def acks_key(self, public: bytes) -> Ed25519PrivateKey:
        """Open a key that acknowledges events, the present one or an older; as `release_key`."""
        path, private = self._plain(ACKS, public)
        if not isinstance(private, Ed25519PrivateKey):
            raise DataError(f"{path}: not the {ACKS} key of this hub")
        return private

    def _create(
        self, use: str, private: PrivateKey, when: float, likes: Sequence[Path] | None
    ) -> bytes:
        public = private.public_key().public_bytes_raw()
        path = self.plain_path(use, public)
        self.files.save(path, private, offline=False, when=when, likes=likes)
        return public

    def _exchange(self, use: str, public: bytes) -> X25519PrivateKey:
        path, private = self._plain(use, public)
        if not isinstance(private, X25519PrivateKey):
            raise DataError(f"{path}: not the {use} key of this hub")
        return private

    def _plain(self, use: str, public: bytes) -> tuple[Path, PrivateKey]:
        path = self.plain_path(use, public)
        private = self._open(path)
        if private.public_key().public_bytes_raw() != public:
            raise DataError(f"{path}: not the {use} key of this hub")
        return path, private

    def _folders(self, role: str) -> tuple[Path, ...]:
        return self.offline if role in OFFLINE else (self.working,)

    def _open(self, path: Path) -> PrivateKey:
        if path not in self._opened:
            self._opened[path] = self.files.load(path)
        return self._opened[path]

    def _refused(self, path: Path) -> RefusedError | None:
        try:
            self._open(path)
        except RefusedError as error:
            return error
        return None

    def _signer(self, key: Key, path: Path) -> CryptoSigner:
        private = self._open(path)
        if (
            not isinstance(private, Ed25519PrivateKey)
            or not isinstance(key, SSlibKey)
            or private.public_key().public_bytes_raw().hex() != key.keyval["public"]
        ):
            raise DataError(f"{path}: holds another key than its name says; restore the file")
        return CryptoSigner(private, key)

    def _missing(
        self, role: str, keys: Sequence[Key], threshold: int, found: int
    ) -> MissingFileError:
        missing = [
            file_name(role, key.keyid) for key in keys if self.locate(role, key.keyid) is None
        ]
        places = " or ".join(str(folder) for folder in self._folders(role))
        mend = "name their folder with --offline-dir" if role in OFFLINE else "restore a copy"
        return MissingFileError(
            f"{role} needs {threshold} of {len(keys)} keys and {found} "
            f"{'is' if found == 1 else 'are'} there; missing in {places}: "
            f"{', '.join(missing)}; {mend}"
        )


def file_name(role: str, keyid: str) -> str:
    """`ROLE-<first 12 digits of the key id>.pem`."""
    return f"{role}-{keyid[:_SHOWN]}.pem"
