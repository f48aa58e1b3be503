"""Copies the public folder to where a web server reads it, so that devices never see half of it.

The hub folder is private to its owner. The order matters: targets, then the metadata that names
them, then the timestamp that makes it valid, and roots last, because a rotated online key signs
beside the old one until the root that names it alone is there. (That holds when a rotation is
copied before the next publication; otherwise devices refuse what they see between the last two
writes, and take it at their next look.)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Timestamp

from agent.errors import DataError, UsageError
from agent.hub.files import Disk, reported

_TIMESTAMP = "metadata/timestamp.json"


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What was copied and deleted, in files."""

    written: int
    removed: int


def mirror(public: Path, goal: Path, *, now: float, disk: Disk) -> Mirrored:
    """Make `goal` a copy of the public folder. Files of `goal` outside `metadata/` and `targets/`
    are left alone.

    Args:
        public: of the hub; nobody changes it meanwhile.
        goal: made when missing.
        now: wall seconds, becomes the files' time.
        disk: writes files.

    Raises:
        UsageError: the goal lies in the hub folder, or the other way round.
        DataError: the goal holds a newer state than the hub.
        DiskError: a file cannot be read or written.
    """
    if _inside(goal, public.parent) or _inside(public, goal):
        raise UsageError(f"{goal}: choose a folder outside {public.parent}")
    here = {name for name in _files(public) if not Path(name).name.startswith(".")}
    there = _files(goal)
    _check_forward(public, goal)
    written = [name for name in sorted(here, key=_order) if _copy(public, goal, name, now, disk)]
    surplus = there - here
    for name in surplus:
        disk.remove(goal / name)
    return Mirrored(len(written), len(surplus))


def _order(name: str) -> tuple[int, str]:
    if name.startswith("targets/"):
        return 0, name
    if name.endswith(".root.json"):
        return 3, f"{_root_version(name):09d}"
    return (2 if name == _TIMESTAMP else 1), name


def _check_forward(public: Path, goal: Path) -> None:
    """An old copy of a hub must not take a server back."""
    here, there = _version(public), _version(goal)
    if there > here:
        raise DataError(
            f"{goal}: holds version {there} of the timestamp and this hub {here}: is this an old "
            "copy of the hub?"
        )


def _version(folder: Path) -> int:
    """Of the timestamp; 0 when there is none that can be read."""
    try:
        timestamp = Metadata[Timestamp].from_bytes((folder / _TIMESTAMP).read_bytes())
    except (OSError, RepositoryError):
        return 0
    return timestamp.signed.version


def _root_version(name: str) -> int:
    number = name.removeprefix("metadata/").removesuffix(".root.json")
    return int(number) if number.isdigit() else 0


def _copy(public: Path, goal: Path, name: str, now: float, disk: Disk) -> bool:
    with reported(public / name):
        data = (public / name).read_bytes()
    with reported(goal / name):
        if (goal / name).exists() and (goal / name).read_bytes() == data:
            return False
    disk.write(goal / name, data, when=now)
    return True


def _files(folder: Path) -> set[str]:
    with reported(folder):
        return {
            path.relative_to(folder).as_posix()
            for part in ("metadata", "targets")
            for path in (folder / part).rglob("*")
            if path.is_file()
        }


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
