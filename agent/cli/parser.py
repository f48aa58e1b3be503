"""argparse with our manners: global options everywhere, one-line errors, exit code 64, hints."""

from __future__ import annotations

import argparse
import difflib
import functools
import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

from agent import __version__
from agent.errors import UsageError


@dataclass(slots=True)
class Shared:
    """What the parsers of one command line have in common.

    Attributes:
        overrides: every `--set`, in order, wherever on the line it stood.
        options: every option string that some parser knows, for hints.
    """

    overrides: list[str] = field(default_factory=list)
    options: set[str] = field(default_factory=set)


class Parser(argparse.ArgumentParser):
    """A parser that has the global options, and hands them on to its subcommands.

    Examples go into `epilog`, one a line.
    """

    def __init__(self, *args: Any, shared: Shared | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.update(allow_abbrev=False, conflict_handler="resolve")
        super().__init__(*args, **kwargs)
        self.shared = shared or Shared()
        self._add_globals()

    def add_argument(self, *args: Any, **kwargs: Any) -> argparse.Action:
        action = super().add_argument(*args, **kwargs)
        if hasattr(self, "shared"):
            self.shared.options.update(action.option_strings)
        return action

    def add_subparsers(self, **kwargs: Any) -> Any:
        kwargs.setdefault("parser_class", functools.partial(Parser, shared=self.shared))
        return super().add_subparsers(**kwargs)

    def error(self, message: str) -> NoReturn:
        hint = _hint(message, self.shared.options)
        raise UsageError(f"{message}{hint} (see {self.prog} --help)")

    def _add_globals(self) -> None:
        shared, quiet = self.shared, argparse.SUPPRESS
        add = self.add_argument_group("options of every command").add_argument
        add("--config", metavar="FILE", default=quiet, help="configuration, YAML")
        add(
            "--state-dir",
            metavar="DIR",
            default=quiet,
            help="where the agent keeps its state (default: $STATE_DIRECTORY, "
            "else ~/.local/state/bodycam-agent)",
        )
        add(
            "--set",
            metavar="SECTION.KEY=VALUE",
            action=_Override,
            overrides=shared.overrides,
            default=quiet,
            help="override one setting; may be given again",
        )
        add("--json", action="store_true", default=quiet, help="answer in JSON on stdout")
        add("--debug", action="store_true", default=quiet, help="show the traceback of a bug")
        add("--version", action="version", version=f"bodycam-agent {__version__}")
        shared.options.update(("--config", "--state-dir", "--set", "--json", "--debug"))


class _Override(argparse.Action):
    """Collects `--set` in one list: subparsers would each begin a list of their own."""

    def __init__(self, *args: Any, overrides: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._overrides = overrides

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        del parser, namespace, option
        self._overrides.append(values)


def nearest(word: str, known: set[str] | list[str]) -> str:
    """`; did you mean …?`, or nothing when no known word is near."""
    near = difflib.get_close_matches(word, sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _hint(message: str, options: set[str]) -> str:
    choice = re.search(r"invalid choice: '?([\w-]+)'? \(choose from (.*)\)", message)
    if choice:
        return nearest(choice[1], re.findall(r"[\w-]+", choice[2]))
    unknown = re.search(r"unrecognized arguments: (--[\w-]+)", message)
    return nearest(unknown[1], options) if unknown else ""
