"""A real file system of a few hundred kilobytes, and ears for what is told about it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest


class CannotMountError(Exception):
    """Why there is no small file system; one line."""


@contextmanager
def mounted(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A tmpfs of this size, mounted below `folder`.

    Raises:
        CannotMountError: that is forbidden here.
    """
    place = folder / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k,mode=0700", "tmpfs", str(place)]
    try:
        subprocess.run(["mount", *options], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", b"").decode(errors="replace").strip() or str(error)
        raise CannotMountError(
            f"a small file system needs the right to mount (root): {why}"
        ) from None
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True, capture_output=True)


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """The same for a test, which is skipped where that is forbidden."""
    with ExitStack() as undo:
        try:
            place = undo.enter_context(mounted(folder, kilobytes))
        except CannotMountError as error:
            pytest.skip(str(error))
        yield place


def fill(place: Path, spare: int = 0) -> Path:
    """Write until nothing more fits, then give back `spare` bytes."""
    ballast = place / "ballast"
    with ballast.open("ab") as file:
        for size in (4096, 512):
            with suppress(OSError):
                while True:
                    os.write(file.fileno(), b"\0" * size)
        os.ftruncate(file.fileno(), max(0, os.fstat(file.fileno()).st_size - spare))
    return ballast


def free(place: Path) -> int:
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize


class StorageEars:
    """Writes down what is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.problems: list[str] = []

    def spending(self, problem: str) -> None:
        self.told.append("spending")
        self.problems.append(problem)

    def exhausted(self, problem: str) -> None:
        self.told.append("exhausted")
        self.problems.append(problem)

    def restored(self) -> None:
        self.told.append("restored")
