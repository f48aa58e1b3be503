"""Notices that `lists.sqlite` is missing, or it or `hub.sqlite` older than what is published."""

from __future__ import annotations

from pathlib import Path

from agent.errors import DataError
from agent.hub.hub import Hub
from agent.hub.lists_database import manifests
from agent.hub.present import published_lists
from agent.hub.repository import Repository


def register_problem(hub: Hub) -> str | None:
    """What is wrong with the register of cameras, and the mend; None when nothing is.

    Raises:
        MissingFileError, DataError: the public folder is not what it should be.
    """
    if hub.database.older() or hub.repository.folder.ahead_of_database():
        return older_line(hub)
    return None


def older_line(hub: Hub) -> str:
    """What to say of an older copy of the register."""
    return (
        f"{hub.database.path} is an older copy: a camera that was removed since may be back in "
        "it. Restore the newest copy, or without one look through `bodycam-hub devices list` "
        "and then `bodycam-hub devices accept-older`"
    )


def require_newest(hub: Hub) -> None:
    """Nothing may be built on an older register.

    Raises:
        DataError: it is one; says what to do.
    """
    if problem := register_problem(hub):
        raise DataError(problem)


def accept_older(hub: Hub, *, now: float) -> None:
    """From now on the register is the newest."""
    hub.database.accept_older(now=now)
    hub.repository.folder.catch_up()


def lists_problem(path: Path, repository: Repository) -> str | None:
    """What is wrong with the hub's store of lists, and the mend; None when nothing is.

    Args:
        path: of `lists.sqlite`, which need not exist.
        repository: says what is published.

    Raises:
        MissingFileError, DataError: the public folder is not what it should be.
    """
    published = published_lists(repository)
    made = manifests(path)
    lost = [one for one in published if one not in made]
    older = [one for one in published if one in made and published[one] not in made[one]]
    if lost:
        state = "knows nothing of" if path.exists() else "is missing, and with it"
        mend = "; ".join(f"`bodycam-hub lists drop {one} --lost`" for one in lost)
        return (
            f"{path} {state} {', '.join(lost)}, which the public folder names: restore a copy, or "
            f"without one {mend}, and publish anew"
        )
    if older:
        return (
            f"{path} is older than the public folder, which names another version of "
            f"{', '.join(older)}: restore the newest copy"
        )
    return None
