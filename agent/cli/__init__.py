"""`bodycam-agent`: one file per command group, each loaded only when it is asked for."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import closing

from agent.adapters.own_memory import seal_memory
from agent.cli.common import flushed, read_globals, silence_stdout
from agent.cli.parser import Parser, Shared, nearest
from agent.errors import BodycamError, Exit, UsageError

COMMANDS = {
    "run": ("agent.cli.run", "the main job: watch a camera, raise alerts"),
    "watchlist": ("agent.cli.watchlist", "enrol, list, show, remove: the local list"),
    "identify": ("agent.cli.identify", "search a still photograph"),
    "models": ("agent.cli.models", "build, list, verify and measure the networks"),
    "evaluate": ("agent.cli.evaluate", "standard protocols on the shipped pipeline"),
    "audit": ("agent.cli.audit", "verify and show the audit log"),
    "report": ("agent.cli.report", "how this camera was used, for publication"),
    "ctl": ("agent.cli.ctl", "talk to the running agent"),
    "provision": ("agent.cli.provision", "first-run identity and trust"),
    "wipe": ("agent.cli.wipe", "destroy keys and data, with proof"),
    "doctor": ("agent.cli.doctor", "what is wrong with this device, and its mend"),
    "check-config": ("agent.cli.check_config", "every problem of a configuration at once"),
    "print-config": ("agent.cli.print_config", "the effective configuration"),
}
_TAKES_VALUE = ("--config", "--state-dir", "--set")
_DESCRIPTION = (
    "Looks for the few people on a lawful watchlist, on the camera itself,\n"
    "and stays silent about everybody else."
)
_EXAMPLES = """examples:
  bodycam-agent watchlist enrol photo.jpg --subject S-1 --basis consent --purpose test \\
      --authorisation TEST-1 --not-after 2030-12-31
  bodycam-agent run --source camera:0 --reason "field test" --authorisation TEST-1
  bodycam-agent run --source clip.mp4 --pace max --report report.json
  bodycam-agent ctl status --json
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments without the program's name; None for the process's own.

    Returns:
        the exit code, see `agent.errors.Exit`.
    """
    if argv is None:  # this process is the program
        seal_memory()
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    try:
        return flushed(_dispatch(arguments))
    except BodycamError as error:
        _complain(error)
        return flushed(int(error.exit_code))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        silence_stdout()
        return int(Exit.OK)
    except Exception as error:  # noqa: BLE001 -- the last resort: a bug becomes one line
        return _bug(error, debug=debug)


def _dispatch(arguments: list[str]) -> int:
    shared = Shared()
    command = _command_in(arguments)
    parser = _build(command, shared)
    try:
        args = parser.parse_args(arguments)
    except SystemExit as done:  # --help and --version
        return int(done.code or 0)
    from agent.app import Context

    options = read_globals(args, shared.overrides, os.environ)
    context = Context(
        options.state_dir, options.config, options.overrides, json=options.json,
        passphrase_file=getattr(args, "store_passphrase", None),
    )  # fmt: skip
    with closing(context):
        result: int | None = importlib.import_module(COMMANDS[command or ""][0]).run(args, context)
    return int(result or Exit.OK)


def _build(command: str | None, shared: Shared) -> Parser:
    """The whole parser when no command is named, else only what that command needs."""
    parser = Parser(prog="bodycam-agent", description=_DESCRIPTION, epilog=_EXAMPLES, shared=shared)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (module, summary) in COMMANDS.items():
        if name == command:
            importlib.import_module(module).register(commands)
        else:
            commands.add_parser(name, help=summary)
    return parser


def _command_in(arguments: list[str]) -> str | None:
    """The first word that is neither an option nor the value of one.

    Raises:
        UsageError: it is not a command.
    """
    words = iter(arguments)
    for word in words:
        if word in _TAKES_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            if word not in COMMANDS:
                hint = nearest(word, list(COMMANDS))
                raise UsageError(f"no such command: {word}{hint} (see bodycam-agent --help)")
            return word
    return None


def _complain(error: BodycamError) -> None:
    for line in str(error).splitlines() or [type(error).__name__]:
        print(f"bodycam-agent: {line}", file=sys.stderr)


def _bug(error: Exception, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    else:
        what = " ".join(str(error).split())[:200]
        print(
            f"bodycam-agent: internal error: {type(error).__name__}: {what} "
            "(run again with --debug for the traceback)",
            file=sys.stderr,
        )
    return int(Exit.INTERNAL)
