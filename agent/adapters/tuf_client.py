"""The agency's signed repository, seen through `tuf.ngclient` (The Update Framework, 1.0).

tuf checks signatures, versions and expiry and keeps the verified metadata on disk; here are the
limits, what of the targets is taken, and what a failure means. An instance is one look: tuf
refreshes once. Targets are kept when their hash is right, so that an interrupted look goes on
where it was: the unit of resume is a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final, cast

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, TargetFile, Targets
from tuf.ngclient import Updater, UpdaterConfig

from agent.adapters.http_fetch import HttpFetcher
from agent.errors import BodycamError, DiskError, Exit
from agent.messages.bundle import MAX_ENVELOPES, MAX_MANIFEST, MAX_SHARD
from agent.values.sync import Fault, Refused, Unreachable

ROLE: Final = "lists"
"""The delegated role that signs lists; only its targets are looked at."""
DOCUMENTS: Final = "documents"
CONFIG: Final = UpdaterConfig(
    max_root_rotations=256,
    max_delegations=8,
    root_max_length=512 << 10,
    timestamp_max_length=16 << 10,
    snapshot_max_length=64 << 10,
    targets_max_length=5_000_000,
)
"""A list of a million entries has some 300 shards, about 60 kB of metadata."""
_LONGEST: Final = {
    ".manifest": MAX_MANIFEST,
    ".envelopes": MAX_ENVELOPES,
    ".shard": MAX_SHARD,
}
_TARGET = re.compile(r"lists/([A-Za-z0-9_.:-]{1,80}(\.manifest|\.envelopes|\.shard))")
_PREFIX = re.compile(r"^([0-9]+|[0-9a-f]{64,128})\.")
_HASH = re.compile(r"([0-9a-f]{12})[0-9a-f]{52}")
_MEANING: Final = (
    (ExpiredMetadataError, Fault.FROZEN, "has expired and nothing newer is offered"),
    (UnsignedMetadataError, Fault.SIGNATURE, "is not signed by the agency's keys"),
    (
        BadVersionNumberError,
        Fault.ROLLBACK,
        "is older than what was verified before, or skips a version",
    ),
    (DownloadLengthMismatchError, Fault.ENDLESS, "is longer than it may be"),
    (RepositoryError, Fault.TAMPERED, "is not what the agency made"),
)
_GONE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class LookError(BodycamError):
    """A look that came to nothing; `result` says why."""

    def __init__(self, result: Unreachable | Refused) -> None:
        self.result = result
        self.exit_code = Exit.UNAVAILABLE if isinstance(result, Unreachable) else Exit.DATA
        super().__init__(result.reason)


def short(name: str) -> str:
    """A name for people: twelve digits of a hash are enough."""
    return _HASH.sub(r"\1", name)


def refused(fault: Fault, reason: str) -> LookError:
    """To be raised."""
    return LookError(Refused(fault, reason))


class Repository:
    """One look at a repository.

    Args:
        url: `metadata/` and `targets/` lie below it.
        fetcher: for files below that.
        root: TUF root metadata that everything is traced back to, bytes.
        metadata: folder of the verified metadata.
        incoming: folder of fetched targets.

    Raises:
        LookError: the root is none.
        DiskError: a folder cannot be written to.
    """

    def __init__(
        self, url: str, fetcher: HttpFetcher, *, root: bytes, metadata: Path, incoming: Path
    ) -> None:
        self._fetcher = fetcher
        self._metadata = metadata
        self._incoming = incoming
        base = url.rstrip("/")
        with self._judged("root.json"):
            for folder in (metadata, incoming):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._updater = Updater(
                str(metadata),
                f"{base}/metadata/",
                target_base_url=f"{base}/targets/",
                fetcher=fetcher,
                config=CONFIG,
                bootstrap=root,
            )

    def refresh(self) -> None:
        """Fetch and verify the newest metadata.

        Raises:
            LookError: why that is impossible.
            DiskError: it cannot be kept.
        """
        with self._judged():
            self._updater.refresh()
            self._updater.get_targetinfo(f"{ROLE}/-")  # loads the role; there is no such target

    def documents(self, role: str, longest: int) -> dict[str, bytes]:
        """Every target of a role with few and short ones, by path; after `refresh`.

        They stay beside the metadata for as long as they are named.

        Args:
            role: a delegated one.
            longest: bytes of each.

        Raises:
            LookError: one cannot be had, or is not what was signed.
            DiskError: one cannot be kept.
        """
        folder = self._metadata / DOCUMENTS / role
        with self._judged(f"{role}.json"):
            self._updater.get_targetinfo(f"{role}/-")  # loads the role; there is no such target
            file = self._metadata / f"{role}.json"
            if not file.exists():
                return {}
            metadata = cast("Metadata[Targets]", Metadata.from_file(str(file)))
            targets = [self._updater.get_targetinfo(path) for path in metadata.signed.targets]
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = {
            one.path: self._document(one, folder, longest) for one in targets if one is not None
        }
        with self._judged(role):
            for path in folder.iterdir():
                if path.name not in {Path(one).name for one in found}:
                    path.unlink()
        return found

    def _document(self, target: TargetFile, folder: Path, longest: int) -> bytes:
        name = Path(target.path).name
        if target.length > longest:
            raise refused(Fault.ENDLESS, f"{name} is longer than any such file may be")
        path = folder / name
        with self._judged(name):
            try:
                data = path.read_bytes()
                target.verify_length_and_hashes(data)
            except (OSError, LengthOrHashMismatchError):
                self._updater.download_target(target, str(path))
                data = path.read_bytes()
                target.verify_length_and_hashes(data)
        return data

    def lists(self) -> tuple[str, ...]:
        """Ids of the lists in the verified metadata, sorted; after `refresh`.

        tuf offers no public way to ask which targets there are, so the file that it has verified
        and kept is read; each target is then asked for by name.
        """
        file = self._metadata / f"{ROLE}.json"
        if not file.exists():  # the agency delegates no lists yet
            return ()
        with self._judged(file.name):
            role = cast("Metadata[Targets]", Metadata.from_file(str(file)))
        names = (_TARGET.fullmatch(path) for path in role.signed.targets)
        ids = (one[1].removesuffix(".envelopes") for one in names if one and one[2] == ".envelopes")
        return tuple(sorted(one for one in ids if self.find(f"lists/{one}.envelopes")))

    def find(self, path: str) -> TargetFile | None:
        """What the agency signed for a target; None when it signed none.

        Raises:
            LookError: the target may be longer than any such file, or has no sha256.
        """
        match = _TARGET.fullmatch(path)
        if match is None:
            return None
        with self._judged():
            target = self._updater.get_targetinfo(path)
        if target is not None and target.length > _LONGEST[match[2]]:
            raise refused(Fault.ENDLESS, f"{short(match[1])} is longer than any such file may be")
        if target is not None and "sha256" not in target.hashes:
            raise refused(Fault.CONTENT, f"{short(match[1])} was signed without its sha256")
        return target

    def require(self, path: str) -> TargetFile:
        """The same for a target that must be there.

        Raises:
            LookError: also when it is not.
        """
        target = self.find(path)
        if target is None:
            raise refused(Fault.MIXED, f"{short(Path(path).name)} is named but not signed for")
        return target

    def kept(self, target: TargetFile) -> Path | None:
        """The file of a target that was fetched before and is whole."""
        path = self._place(target)
        try:
            with path.open("rb") as file:
                target.verify_length_and_hashes(file)
        except (OSError, LengthOrHashMismatchError):
            return None
        return path

    def fetch(self, target: TargetFile) -> Path:
        """The file of a target, fetched unless it is here already.

        Raises:
            LookError: it cannot be had, or is not what was signed.
            DiskError: it cannot be kept.
        """
        path, part = self._place(target), self._place(target).with_suffix(".part")
        if self.kept(target) is None:
            with self._judged(path.name):
                self._updater.download_target(target, str(part))
                part.replace(path)
        return path

    def _place(self, target: TargetFile) -> Path:
        return self._incoming / Path(target.path).name

    @contextmanager
    def _judged(self, name: str = "") -> Iterator[None]:
        """Turn what tuf raises into what it means."""
        try:
            yield
        except OSError as error:
            raise DiskError(f"{self._metadata}: {(error.strerror or 'failed').lower()}") from None
        except (RepositoryError, DownloadError) as error:
            raise LookError(_judge(error, name or self._last_name(), target=bool(name))) from None
        except BodycamError:
            raise
        except Exception as error:  # noqa: BLE001 - truly signed nonsense can trip tuf anywhere
            what = f"the metadata is signed nonsense ({type(error).__name__})"
            raise refused(Fault.TAMPERED, what) from None

    def _last_name(self) -> str:
        return _PREFIX.sub("", self._fetcher.last_url.rpartition("/")[2]) or "metadata"


def _judge(error: Exception, name: str, *, target: bool) -> Unreachable | Refused:
    if isinstance(error, DownloadHTTPError) and error.status_code in _GONE:
        return Refused(Fault.MISSING, f"{short(name)} is not on the server")
    if isinstance(error, LengthOrHashMismatchError):
        fault = Fault.TAMPERED if target else Fault.MIXED
        return Refused(fault, f"{short(name)} is not the file that was signed for")
    for kind, fault, meaning in _MEANING:
        if isinstance(error, kind):
            return Refused(fault, f"{short(name)} {meaning}")
    return Unreachable(str(error))


def clean(incoming: Path) -> None:
    """Remove what is no longer of use: all of it is installed.

    Raises:
        DiskError: it cannot be removed.
    """
    try:
        for path in incoming.iterdir() if incoming.exists() else ():
            path.unlink()
    except OSError as error:
        raise DiskError(f"{incoming}: {(error.strerror or 'failed').lower()}") from None
