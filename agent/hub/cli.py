"""`bodycam-hub`: one module per command, each loaded only when it is asked for."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

from agent.cli.common import flushed, silence_stdout
from agent.cli.parser import Shared, nearest
from agent.errors import BodycamError, Exit, UsageError
from agent.hub.context import build_context
from agent.hub.parser import Parser

COMMANDS = {
    "init": ("agent.hub.commands.init", "keys, roles and an empty repository"),
    "keys": ("agent.hub.commands.keys", "list keys, give a role new ones"),
    "rotate": ("agent.hub.commands.rotate", "the same as `keys rotate`"),
    "refresh": ("agent.hub.commands.refresh", "sign again before signatures expire"),
    "mirror": ("agent.hub.commands.mirror", "copy the public folder to where it is served"),
    "devices": ("agent.hub.commands.devices", "bring cameras in, strike them off, unlock stores"),
    "command": ("agent.hub.commands.command", "a signed command to a camera"),
    "receive": ("agent.hub.commands.receive", "receive, verify, open and keep alerts"),
    "review": ("agent.hub.commands.review", "compare an alert with the photograph, and decide"),
    "reviewers": ("agent.hub.commands.reviewers", "who may decide, and how many must"),
    "export": ("agent.hub.commands.export", "an alert with its proofs, for a court or a defendant"),
    "anchors": ("agent.hub.commands.anchors", "what the hub knows of a camera's audit log"),
    "audit": ("agent.hub.commands.audit", "the hub's own log of reviews, purges and holds"),
    "purge": ("agent.hub.commands.purge", "retention, revoked authorisations, legal holds"),
    "policy": ("agent.hub.commands.policy", "what the agency allows its cameras"),
    "authorise": ("agent.hub.commands.authorise", "what permits matching, and its end"),
    "publish": ("agent.hub.commands.publish", "the next version of a list"),
    "lists": ("agent.hub.commands.lists", "which lists there are, and the end of one"),
    "revoke": ("agent.hub.commands.revoke", "take entries, or a whole list, back at once"),
    "report": ("agent.hub.commands.report", "what a list is made of, for an auditor"),
    "status": ("agent.hub.commands.status", "roles, expiry, devices and lists at a glance"),
}
_TAKES_VALUE = ("--state-dir", "--passphrase-file", "--offline-dir")
_DESCRIPTION = (
    "The agency's end: keeps the keys, knows the devices, builds, signs and encrypts watchlists.\n"
    "What it publishes is a folder of static files that any web server can serve."
)
_EXAMPLES = """examples:
  bodycam-hub init --agency example-pd --offline-dir /media/usb
  bodycam-hub devices token CAM-7 --url https://lists.example.org --out CAM-7.json
  bodycam-hub devices add CAM-7.request.json
  bodycam-hub status
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments without the program's name; None for the process's own.

    Returns:
        the exit code, see `agent.errors.Exit`.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    try:
        return flushed(_dispatch(arguments))
    except BodycamError as error:
        for line in str(error).splitlines() or [type(error).__name__]:
            _say(line)
        return flushed(int(error.exit_code))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        silence_stdout()
        return int(Exit.OK)
    except Exception as error:  # noqa: BLE001 -- the last resort: a bug becomes one line
        return _bug(error, debug=debug)


def build_parser(command: str | None) -> Parser:
    """The whole parser when no command is named, else only what that command needs."""
    parser = Parser(prog="bodycam-hub", description=_DESCRIPTION, epilog=_EXAMPLES, shared=Shared())
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (module, summary) in COMMANDS.items():
        if name == command:
            importlib.import_module(module).register(commands)
        else:
            commands.add_parser(name, help=summary)
    return parser


def _dispatch(arguments: list[str]) -> int:
    command = _command_in(arguments)
    try:
        args = build_parser(command).parse_args(arguments)
    except SystemExit as done:  # --help and --version
        return int(done.code or 0)
    context = build_context(args, os.environ)
    result: int | None = importlib.import_module(COMMANDS[command or ""][0]).run(args, context)
    return int(result or Exit.OK)


def _command_in(arguments: list[str]) -> str | None:
    words = iter(arguments)
    for word in words:
        if word in _TAKES_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            if word not in COMMANDS:
                hint = nearest(word, list(COMMANDS))
                raise UsageError(f"no such command: {word}{hint} (see bodycam-hub --help)")
            return word
    return None


def _bug(error: Exception, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    else:
        what = " ".join(str(error).split())[:200]
        _say(
            f"internal error: {type(error).__name__}: {what} "
            "(run again with --debug for the traceback)"
        )
    return int(Exit.INTERNAL)


def _say(line: str) -> None:
    print(f"bodycam-hub: {line}", file=sys.stderr)
