"""The agent's argparse manners with the hub's own global options."""

from __future__ import annotations

import argparse
import functools
from typing import Any

from agent import __version__
from agent.cli import parser as agent_parser


class Parser(agent_parser.Parser):
    """A parser with the hub's global options, handed on to its subcommands."""

    def add_subparsers(self, **kwargs: Any) -> Any:
        kwargs.setdefault("parser_class", functools.partial(Parser, shared=self.shared))
        return super().add_subparsers(**kwargs)

    def _add_globals(self) -> None:
        quiet = argparse.SUPPRESS
        add = self.add_argument_group("options of every command").add_argument
        add(
            "--state-dir",
            metavar="DIR",
            default=quiet,
            help="the hub folder (default: $XDG_DATA_HOME, else ~/.local/share, /bodycam-hub)",
        )
        add(
            "--passphrase-file",
            metavar="FILE",
            action="append",
            default=quiet,
            help="a passphrase of key files, one line, readable by you alone; may be given again "
            "(default: you are asked)",
        )
        add(
            "--offline-dir",
            metavar="DIR",
            action="append",
            default=quiet,
            help="where offline keys are, such as a USB stick; may be given again "
            "(default: where init put them; nowhere else once this is given)",
        )
        add("--json", action="store_true", default=quiet, help="answer in JSON on stdout")
        add("--debug", action="store_true", default=quiet, help="show the traceback of a bug")
        add("--version", action="version", version=f"bodycam-hub {__version__}")
        self.shared.options.update(
            ("--state-dir", "--passphrase-file", "--offline-dir", "--json", "--debug")
        )
