"""`bodycam-hub command`: a signed command to one camera, sent, or as a file to be published."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import Any, Final, get_args

from agent.cli.common import print_json, say
from agent.errors import Exit, RefusedError, UsageError
from agent.hub.broker_options import (
    add_broker_options,
    clear_text_warning,
    hub_client,
    names_broker,
    read_broker,
)
from agent.hub.context import HubContext
from agent.hub.devices import Device
from agent.hub.hub import Hub, open_hub
from agent.hub.policies import in_force
from agent.hub.saying import command_message
from agent.hub.sending import camera_line
from agent.hub.typed import write_message
from agent.messages import iso_utc
from agent.messages.command import STARTS, Command, CommandName

_MINUTE_S: Final = 60.0
_COMMANDS: Final = tuple(one for one in get_args(CommandName) if one not in ("authorise", "revoke"))
"""The others are sent by `bodycam-hub authorise`, which has the documents that they carry."""
_EXAMPLES = """examples:
  bodycam-hub command CAM-7 disarm --reason "the operation is over" --mqtt-host broker.example
  bodycam-hub command CAM-7 sync --config agency.yaml
  bodycam-hub command CAM-7 arm --reason patrol --authorisation A-1 --config agency.yaml
  bodycam-hub command CAM-7 unpark --minutes 5 --out unpark.json
  bodycam-hub command CAM-7 arm --session 12 --reason patrol --authorisation A-1 --out arm.json
  mosquitto_pub -h broker -t bodycam/example-pd/CAM-7/command -q 1 -f unpark.json

Sent over the broker that is named, or written to --out. Whoever carries it can neither change it
nor use it twice. What starts something is for one session of the camera: the one that its retained
state tells of, unless --session says which; a policy must allow to arm from afar. Exit codes: 69
the broker cannot be reached, or the camera has said nothing there; 77 the policy forbids it.
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser("command", help="a signed command to a camera", epilog=_EXAMPLES)
    add = parser.add_argument
    add("device", metavar="DEVICE")
    add("command", choices=_COMMANDS)
    add("--reason", default="", help="for the audit log of the camera")
    add("--authorisation", default="", metavar="ID", help="of `arm`")
    add("--event", metavar="ID", help="of `unpark`: this event alone (default: every one)")
    add(
        "--session",
        type=int,
        metavar="N",
        help="of `arm` (default: what the camera's retained state says)",
    )
    add("--minutes", type=float, default=10.0, metavar="N", help="good for (default: 10)")
    add("--out", metavar="FILE", type=Path, help="write it to a file")
    add_broker_options(parser)


def run(args: argparse.Namespace, context: HubContext) -> int:
    if not 0 < args.minutes <= 7 * 24 * 60:
        raise UsageError("command: --minutes must be more than 0 and at most a week")
    if args.out is None and not names_broker(args):
        raise UsageError("command: send it with --mqtt-host HOST, or write it with --out FILE")
    with closing(open_hub(context)) as hub:
        device = hub.devices.get(args.device)
        _require_allowed(hub, args.command)
        if not names_broker(args):
            message, topic = _made(args, context, hub, device, args.session), None
        else:
            message, topic = _sent(args, context, hub, device)
    if args.out:
        write_message(args.out, message, when=context.clock.wall())
    _answer(args, context, message, topic)
    return int(Exit.OK)


def _require_allowed(hub: Hub, command: str) -> None:
    """The camera would refuse it, and only its log would say so."""
    policy = in_force(hub)
    if command == "arm" and not policy.remote_arm:
        raise RefusedError(
            f"command arm: the policy {policy.name} does not let anybody arm from afar "
            "(authorisations.remote_arm); on the camera: `bodycam-agent ctl arm`"
        )


def _made(
    args: argparse.Namespace, context: HubContext, hub: Hub, device: Device, session: int | None
) -> Command:
    arguments = {
        "reason": args.reason,
        "authorisation": args.authorisation,
        "event": args.event,
    }
    return command_message(
        hub,
        device,
        args.command,
        arguments,
        session=session,
        life_s=args.minutes * _MINUTE_S,
        now=context.clock.wall(),
    )


def _sent(
    args: argparse.Namespace, context: HubContext, hub: Hub, device: Device
) -> tuple[Command, str]:
    config = read_broker(args)
    if warning := clear_text_warning(config):
        say(warning)
    settings = hub_client(config, hub.agency, "command")
    topics = f"{config.mqtt.prefix}/{hub.agency}/{device.name}"
    with camera_line(settings, topics, context.clock, context.memory_of(settings)) as line:
        session = args.session
        if session is None and args.command in STARTS:
            session = line.session()
        message = _made(args, context, hub, device, session)
        return message, line.send(message)


def _answer(
    args: argparse.Namespace, context: HubContext, message: Command, topic: str | None
) -> None:
    end = iso_utc(message.not_after)
    if context.json:
        where = {"file": str(args.out) if args.out else None, "topic": topic}
        rest = {"counter": message.counter, "session": message.session, "not_after": end}
        return print_json(where | rest)
    done = f"sent to {topic}" if topic else f"wrote {args.out}"
    print(f"{args.device}: {done}, number {message.counter}, good until {end}")
    return None
