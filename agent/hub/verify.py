"""Looks at the public folder as a device does: with a fresh TUF client, from the first root on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError
from tuf.ngclient import FetcherInterface, Updater

from agent.errors import BodycamError, DataError
from agent.hub.public_folder import PublicFolder
from agent.hub.roles import DELEGATED

_BASE: Final = "https://folder.invalid/"
_CHUNK: Final = 1 << 16
_NOT_FOUND: Final = 404


class FolderFetcher(FetcherInterface):
    """Serves the public folder without a server."""

    def __init__(self, public: Path) -> None:
        self._public = public

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = self._public / unquote(urlsplit(url).path).lstrip("/")
        try:
            stream = path.open("rb")
        except FileNotFoundError:
            raise DownloadHTTPError(f"{path.name} is missing", _NOT_FOUND) from None
        with stream:
            while chunk := stream.read(_CHUNK):
                yield chunk


def verify_public(folder: PublicFolder, root: bytes) -> None:
    """Follow every root, verify every role at the system's time, and hash every target.

    Args:
        folder: what is served.
        root: metadata of the root that a device was given.

    Raises:
        DataError: a device would refuse it; says what.
    """
    with tempfile.TemporaryDirectory() as scratch:
        try:
            _follow(folder, root, Path(scratch))
        except (RepositoryError, DownloadError, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"devices refuse the public folder: {reason}") from None


def _follow(folder: PublicFolder, root: bytes, scratch: Path) -> None:
    updater = Updater(
        str(scratch),
        f"{_BASE}metadata/",
        fetcher=FolderFetcher(folder.path),
        bootstrap=root,
    )
    updater.refresh()
    for role in DELEGATED:
        updater.get_targetinfo(f"{role}/none")
    for role, metadata in folder.load().targets.items():
        for path, target in metadata.signed.targets.items():
            if updater.get_targetinfo(path) != target:
                raise DataError(f"{path}: not what {role} signed")
            folder.read_target(target)


def problem_of(folder: PublicFolder) -> str | None:
    """Why devices would refuse the public folder; None when they take it."""
    try:
        verify_public(folder, folder.root_bytes(1))
    except BodycamError as error:
        return str(error)
    return None
