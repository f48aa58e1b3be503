"""`bodycam-agent check-config`: every problem at once."""

from __future__ import annotations

import argparse
from typing import Any

from agent.app import Context
from agent.app.broker import broker_problems
from agent.cli.common import print_json, say
from agent.errors import ConfigError, Exit


def register(subparsers: Any) -> None:
    subparsers.add_parser(
        "check-config",
        help="every problem of a configuration at once",
        description="Checks a configuration as a whole, with the certificate files it names, and "
        "lists every problem with its path.",
        epilog="examples:\n  bodycam-agent check-config --config /etc/bodycam-agent/config.yaml\n"
        "  bodycam-agent check-config --set mqtt.port=70000 --json\n",
    )


def run(args: argparse.Namespace, context: Context) -> int:
    """Exit 0 when all is well, 78 with the problems otherwise."""
    del args
    try:
        _check(context)
    except ConfigError as error:
        if not context.json:
            raise
        print_json({"ok": False, "problems": list(error.problems)})
        return int(Exit.CONFIG)
    if context.json:
        print_json({"ok": True, "problems": []})
    else:
        say(f"{context.config_file or 'the built-in configuration'}: no problems")
    return int(Exit.OK)


def _check(context: Context) -> None:
    problems = broker_problems(context.config)
    if problems:
        raise ConfigError(problems, str(context.config_file or "configuration"))
