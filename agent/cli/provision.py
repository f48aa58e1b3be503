"""`bodycam-agent provision`: the first day of a device."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.common import print_json, say
from agent.errors import Exit

if TYPE_CHECKING:
    from agent.app import Context

_DESCRIPTION = """Gives this device its identity, from a file that `bodycam-hub devices token` made.

The file may have lain on a card that anybody could swap. So you type the sha256 of the agency's
trust root, as the hub shows it, and nothing is believed that does not agree with it. The device
makes its keys and writes an answer, which goes back to the hub: `bodycam-hub devices add`. The
file carries a token that is good once; it is deleted afterwards."""
_EXAMPLES = """examples:
  bodycam-agent provision CAM-7.json --root-sha256 "1f0c 93aa ... 7e21" --request CAM-7.request.json
  bodycam-agent provision CAM-7.json --root-sha256 1f0c93...7e21 --passphrase-file pass.txt

Was the answer lost before the hub took it? Then this identity is of no use: `bodycam-agent wipe`,
have the hub make a new file, and provision again.
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "provision",
        help="first-run identity and trust",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    add = parser.add_argument
    add("file", metavar="FILE", type=Path, help="from the hub")
    add(
        "--root-sha256",
        metavar="HEX",
        required=True,
        help="of the agency's trust root, as the hub shows it; groups, spaces, colons will do",
    )
    add(
        "--passphrase-file",
        metavar="F",
        type=Path,
        help="where the file says that an operator unlocks the store; mode 0600, first line "
        "(default: asked for)",
    )
    add(
        "--request",
        metavar="OUT",
        type=Path,
        help="the answer for the hub (default: beside FILE, with .request.json)",
    )
    add("--keep-file", action="store_true", help="do not delete FILE (it carries the token)")


def run(args: argparse.Namespace, context: Context) -> int:
    from agent.adapters.state_dir import open_to_others
    from agent.app.provision import Order, provision

    out = args.request or args.file.with_suffix(".request.json")
    order = Order(args.file, args.root_sha256, out, args.passphrase_file, keep=args.keep_file)
    done = provision(context, order)
    if loose := open_to_others(context.state_dir):
        say(loose)
    if context.json:
        print_json(
            {
                "agency": done.agency,
                "device": done.device,
                "url": done.url,
                "unlock": done.unlock,
                "key": done.key_id,
                "request": str(out),
            }
        )
        return int(Exit.OK)
    say(f"this device is {done.device} of {done.agency}; its key is {done.key_id}")
    say(f"take {out} to the hub: bodycam-hub devices add {out}")
    if done.unlock == "device":
        say("its store unlocks itself: whoever takes the device can read the list. For tests only")
    return int(Exit.OK)
