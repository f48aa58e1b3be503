"""`bodycam-agent ctl`: talk to the running agent over its local socket."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from agent.adapters.control_socket import ask
from agent.app import Context
from agent.cli import ctl_test_alert, ctl_unlock
from agent.cli.common import print_json, say
from agent.cli.facts import lines
from agent.errors import Exit, UsageError
from agent.messages.control import ControlRequest

_ABOUT: Final[Mapping[str, tuple[str, ...]]] = {
    "arm": ("state", "reason", "authorisation", "authorised_until", "watchlist", "policy", "test"),
    "disarm": ("state", "reason"),
    "unpark": ("pending", "parked", "given_up", "connected", "delivery"),
}
_EXAMPLES = """examples:
  bodycam-agent ctl status --json
  bodycam-agent ctl arm --reason "search for the missing boy" --authorisation MP-2031
  bodycam-agent ctl disarm --reason "end of shift"
  bodycam-agent ctl sync
  bodycam-agent ctl test-alert --timeout 60
  bodycam-agent ctl unpark
  bodycam-agent ctl unlock
  bodycam-agent ctl unlock --request CAM-7.unlock.json
  bodycam-agent ctl unlock --release CAM-7.release.json
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "ctl",
        help="talk to the running agent",
        description="Asks the running agent, found through --state-dir (or $RUNTIME_DIRECTORY).",
        epilog=_EXAMPLES,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    status = actions.add_parser(
        "status", help="armed or not, why, which list, how many frames", epilog=_EXAMPLES
    )
    report = actions.add_parser("report", help="the run report so far, as JSON", epilog=_EXAMPLES)
    arm = actions.add_parser("arm", help="begin to look, under an authorisation", epilog=_EXAMPLES)
    arm.add_argument("--reason", required=True, help="for the logs on the camera; not sent")
    arm.add_argument("--authorisation", required=True, metavar="ID", help="what permits it")
    disarm = actions.add_parser(
        "disarm", help="stop looking; frames are dropped from then on", epilog=_EXAMPLES
    )
    disarm.add_argument("--reason", default="operator", help="as of arm")
    sync = actions.add_parser("sync", help="look for a newer list, soon", epilog=_EXAMPLES)
    unpark = actions.add_parser(
        "unpark", help="send again what the broker refused for good", epilog=_EXAMPLES
    )
    unlock = ctl_unlock.register(actions, _EXAMPLES)
    trial = ctl_test_alert.register(actions, _EXAMPLES)
    for action in (status, report, arm, disarm, sync, unpark, unlock, trial):
        action.add_argument(
            "--socket",
            metavar="FILE",
            type=Path,
            help="of the agent (default: control.sock in $RUNTIME_DIRECTORY or the state folder)",
        )


def run(args: argparse.Namespace, context: Context) -> int:
    if args.action == "unlock":
        return ctl_unlock.run(args, context)
    if args.action == "test-alert":
        return ctl_test_alert.run(args, context)
    request = _request(args)
    reply = ask(args.socket or context.control_path, request)
    if context.json or args.action == "report":
        print_json(reply.data if reply.ok else {"error": reply.error, "code": reply.code})
    elif reply.ok:
        for line in _told(args.action, reply.data):
            print(line)
    if not reply.ok:
        say(f"bodycam-agent: {reply.error}")
        return reply.code or int(Exit.REFUSED)
    return int(Exit.OK)


def _told(action: str, answer: Mapping[str, Any]) -> list[str]:
    """All of it to whoever asks for the status; else what the order has to do with."""
    if action == "sync":
        return ["asked; bodycam-agent watchlist sync waits for what comes of it"]
    wanted = _ABOUT.get(action, tuple(answer))
    return lines({name: answer[name] for name in wanted if name in answer})


def arming_request(reason: str, authorisation: str) -> ControlRequest:
    """A checked request to arm.

    Raises:
        UsageError: the reason or the authorisation is not what the agent takes.
    """
    return _checked(command="arm", reason=reason, authorisation=authorisation)


def _request(args: argparse.Namespace) -> ControlRequest:
    if args.action == "arm":
        return arming_request(args.reason, args.authorisation)
    return _checked(command=args.action, reason=getattr(args, "reason", ""))


def _checked(**fields: str) -> ControlRequest:
    try:
        return ControlRequest.model_validate(fields)
    except ValueError:
        raise UsageError(
            "--reason holds 1 to 200 printable characters, --authorisation up to 64 of "
            "A-Z a-z 0-9 _ . : -"
        ) from None
