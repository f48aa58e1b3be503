"""`bodycam-agent wipe`: destroy keys and data, with proof."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from agent.cli.common import print_json, say
from agent.errors import Exit, UsageError

if TYPE_CHECKING:
    from agent.app import Context

_DESCRIPTION = """Destroys the keys of this device first, then its lists, alerts and everything else
in the state folder, and checks that nothing opens any more. The audit log stays, with a record of
this, unless --all is given. Flash memory may keep old copies of files: what they held is encrypted
under keys that are gone, except with store.unlock `device`, whose key lay in a file like any."""
_EXAMPLES = """examples:
  bodycam-agent wipe
  bodycam-agent wipe --yes --reason "end of the trial"
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "wipe", help="destroy keys and data, with proof", description=_DESCRIPTION, epilog=_EXAMPLES
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--reason", default="operator", help="goes into the audit log")
    parser.add_argument("--all", action="store_true", help="the audit log too")


def run(args: argparse.Namespace, context: Context) -> int:
    from agent.app.wipe import wipe

    if not args.yes:
        _confirm(context)
    proof = wipe(context, args.reason, everything=args.all)
    if context.json:
        print_json({"destroyed": list(proof.destroyed), "checks": list(proof.checks)})
        return int(Exit.OK)
    for line in proof.destroyed:
        say(f"destroyed  {line}")
    for line in proof.checks:
        say(f"checked    {line}")
    return int(Exit.OK)


def _confirm(context: Context) -> None:
    if not sys.stdin.isatty():
        raise UsageError("wipe: nobody is there to be asked; give --yes")
    say(f"this destroys everything in {context.state_dir}: keys, lists, alerts not yet delivered")
    if input("type yes to go on: ").strip() != "yes":
        raise UsageError("wipe: not confirmed; nothing was done")
