"""`bodycam-hub command`: a signed command to one camera, as a file to be published."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import Any, Final, get_args

from agent.cli.common import print_json
from agent.errors import Exit, UsageError
from agent.hub.context import HubContext
from agent.hub.hub import open_hub
from agent.hub.saying import command_message
from agent.hub.typed import write_message
from agent.messages import iso_utc
from agent.messages.command import CommandName

_MINUTE_S: Final = 60.0
_EXAMPLES = """examples:
  bodycam-hub command CAM-7 disarm --reason "the operation is over" --out disarm.json
  bodycam-hub command CAM-7 sync --out sync.json
  bodycam-hub command CAM-7 unpark --minutes 5 --out unpark.json
  bodycam-hub command CAM-7 arm --session 12 --reason patrol --authorisation A-1 --out arm.json
  mosquitto_pub -h broker -t bodycam/example-pd/CAM-7/command -q 1 -f disarm.json

Whoever carries the file can neither change it nor use it twice. `--session` is what the camera's
state message says; a policy must allow to arm from afar.
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "command", help="a signed command to a camera, as a file", epilog=_EXAMPLES
    )
    add = parser.add_argument
    add("device", metavar="DEVICE")
    add("command", choices=get_args(CommandName))
    add("--reason", default="", help="for the audit log of the camera")
    add("--authorisation", default="", metavar="ID", help="of `arm`")
    add("--event", metavar="ID", help="of `unpark`: this event alone (default: every one)")
    add("--session", type=int, metavar="N", help="of `arm` and `authorise`")
    add("--minutes", type=float, default=10.0, metavar="N", help="good for (default: 10)")
    add("--out", metavar="FILE", type=Path, required=True)


def run(args: argparse.Namespace, context: HubContext) -> int:
    if not 0 < args.minutes <= 7 * 24 * 60:
        raise UsageError("command: --minutes must be more than 0 and at most a week")
    now = context.clock.wall()
    arguments = {
        "reason": args.reason,
        "authorisation": args.authorisation,
        "event": args.event,
    }
    with closing(open_hub(context)) as hub:
        message = command_message(
            hub,
            hub.devices.get(args.device),
            args.command,
            arguments,
            session=args.session,
            life_s=args.minutes * _MINUTE_S,
            now=now,
        )
    write_message(args.out, message, when=now)
    end = iso_utc(message.not_after)
    if context.json:
        print_json({"file": str(args.out), "counter": message.counter, "not_after": end})
    else:
        print(f"{args.device}: wrote {args.out}, number {message.counter}, good until {end}")
    return int(Exit.OK)
