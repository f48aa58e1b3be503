"""`bodycam-agent ctl unlock`: the key of the list's store, for this shift."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agent.adapters.control_socket import ask
from agent.adapters.private_files import read_passphrase
from agent.adapters.state_dir import write_json
from agent.app import Context
from agent.cli.common import ask_for_words, print_json, say
from agent.errors import DataError, Exit, MissingFileError, UsageError
from agent.messages.control import ControlReply, ControlRequest
from agent.messages.provisioning import MAX_FILE, UnlockRelease

_DESCRIPTION = """Opens the store of the list in the running agent, until the power goes.

With `unlock: operator`, by its passphrase: asked for, or from a file. With `unlock: hub`, in two
steps: --request writes what `bodycam-hub devices release` takes, --release takes what that gives.
The request is answered by the agent that made it only: do not restart it in between."""


def register(actions: Any, examples: str) -> Any:
    parser = actions.add_parser(
        "unlock",
        help="open the store of the list, for this shift",
        description=_DESCRIPTION,
        epilog=examples,
    )
    way = parser.add_mutually_exclusive_group()
    way.add_argument(
        "--passphrase-file", metavar="F", type=Path, help="mode 0600, first line (default: asked)"
    )
    way.add_argument("--request", metavar="OUT", type=Path, help="write a request for the hub")
    way.add_argument("--release", metavar="FILE", type=Path, help="the hub's answer")
    return parser


def run(args: argparse.Namespace, context: Context) -> int:
    reply = ask(args.socket or context.control_path, _request(args), timeout_s=30.0)
    if reply.ok and args.request is not None:
        write_json(args.request, reply.data["request"])
    if context.json:
        print_json(reply.data if reply.ok else {"error": reply.error, "code": reply.code})
    if not reply.ok:
        say(f"bodycam-agent: {reply.error}")
        return reply.code or int(Exit.REFUSED)
    if not context.json:
        _say(args, reply)
    return int(Exit.OK)


def _request(args: argparse.Namespace) -> ControlRequest:
    if args.request is not None:
        return ControlRequest(command="unlock", ask_release=True)
    if args.release is not None:
        return ControlRequest(command="unlock", release=_release(args.release))
    if args.passphrase_file is None:
        words = ask_for_words("passphrase of the store: ")
    else:
        words = read_passphrase(args.passphrase_file)
    try:
        return ControlRequest(command="unlock", passphrase=words)
    except ValidationError:
        raise UsageError("the passphrase is longer than 256 characters") from None


def _release(path: Path) -> UnlockRelease:
    try:
        with path.open("rb") as stream:
            return UnlockRelease.model_validate_json(stream.read(MAX_FILE))
    except OSError as error:
        raise MissingFileError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except ValidationError:
        raise DataError(f"{path}: no release of the hub (bodycam-hub devices release)") from None


def _say(args: argparse.Namespace, reply: ControlReply) -> None:
    if args.request is not None:
        say(f"wrote {args.request}: bodycam-hub devices release, then ctl unlock --release FILE")
    elif reply.data.get("already"):
        say("the store was open already; nothing was checked")
    elif reply.data.get("unlocked"):
        say("the store is open; the list comes into service in a moment. Arm with `ctl arm`")
