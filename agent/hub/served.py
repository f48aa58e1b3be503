"""Whether the folder that is served has what was published."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from agent.cli.common import say
from agent.hub.context import HubContext
from agent.hub.hub import Hub

_KEY: Final = "mirror"


def remember(hub: Hub, folder: Path) -> None:
    """Where the public folder was copied to last."""
    hub.database.set_setting(_KEY, str(folder.absolute()))


def say_behind(hub: Hub, context: HubContext) -> None:
    """Name the next step where cameras do not see yet what was published; nothing for a program."""
    if context.json:
        return
    folder = hub.database.setting(_KEY)
    if folder is None:
        say("now: bodycam-hub mirror DIR")
    elif _behind(hub, Path(folder)):
        say(f"now: bodycam-hub mirror {shlex.quote(folder)}")


def _behind(hub: Hub, folder: Path) -> bool:
    """By what takes effect at once: the timestamp, and the newest root."""
    names = ("timestamp.json", f"{hub.repository.folder.root_version()}.root.json")
    public = hub.repository.folder.path
    return any(_read(public, name) != _read(folder, name) for name in names)


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / "metadata" / name).read_bytes()
    except OSError:
        return b""
