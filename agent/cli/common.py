"""What every command shares: where the state is, what came from the command line, output."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import DiskError, MissingFileError, UsageError


@dataclass(frozen=True, slots=True)
class Globals:
    """The options of every command.

    Attributes:
        config: the configuration file, if one was named.
        state_dir: the agent's own folder.
        overrides: `section.key=value`, in order.
        json: answer for a program.
    """

    config: Path | None
    state_dir: Path
    overrides: tuple[str, ...]
    json: bool


def read_globals(
    args: argparse.Namespace, overrides: list[str], environ: Mapping[str, str]
) -> Globals:
    """The global options of a parsed command line."""
    config = getattr(args, "config", None)
    state_dir = getattr(args, "state_dir", None)
    return Globals(
        config=Path(config) if config else None,
        state_dir=Path(state_dir) if state_dir else default_state_dir(environ),
        overrides=tuple(overrides),
        json=getattr(args, "json", False),
    )


def default_state_dir(environ: Mapping[str, str]) -> Path:
    """$STATE_DIRECTORY as the service manager sets it (it may list several), else the user's."""
    given = environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    base = environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base else Path.home() / ".local" / "state") / "bodycam-agent"


def take_passphrase(parser: argparse.ArgumentParser) -> None:
    """For commands that read the store themselves."""
    parser.add_argument(
        "--passphrase-file",
        dest="store_passphrase",
        metavar="F",
        type=Path,
        help="of a store in mode operator; 0600, first line (where no unlocked agent is asked)",
    )


def ask_for_words(prompt: str) -> str:
    """A passphrase from the person at the terminal.

    Raises:
        UsageError: nobody is there.
    """
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to be asked; give --passphrase-file FILE")
    try:
        return getpass.getpass(prompt)
    except EOFError:
        raise UsageError("nothing was typed; give --passphrase-file FILE") from None


def read_at_most(path: Path, most: int) -> bytes:
    """The first bytes of a file.

    Raises:
        MissingFileError: there is none.
        DiskError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(most)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file") from None
    except OSError as error:
        raise DiskError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def print_json(value: Any) -> None:
    """One JSON document, alone on stdout."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
    sys.stdout.flush()


def say(line: str = "") -> None:
    """A line for the person at the terminal, on stderr."""
    print(line, file=sys.stderr)


def silence_stdout() -> None:
    """After a broken pipe: nothing more can be said, and Python must not complain at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def flushed(code: int) -> int:
    """At the end of a command: short output waits until then, and its reader may be gone.

    Returns:
        `code`, which a missing reader does not change.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        silence_stdout()
    return code
