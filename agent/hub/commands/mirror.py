"""`bodycam-hub mirror`: the public folder, copied to where a web server reads it."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import Any

from agent.cli.common import print_json
from agent.errors import Exit
from agent.hub.context import HubContext
from agent.hub.hub import open_hub
from agent.hub.mirror import mirror
from agent.hub.served import remember

_EXAMPLES = """examples:
  bodycam-hub mirror /srv/www/lists
  bodycam-hub refresh --passphrase-file online.txt && bodycam-hub mirror /srv/www/lists

To another machine, in the same order, so that no device sees half of a list:
  rsync -a public/targets/ HOST:lists/targets/
  rsync -a --exclude timestamp.json --exclude '*.root.json' public/metadata/ HOST:lists/metadata/
  rsync -a public/metadata/timestamp.json HOST:lists/metadata/
  rsync -a public/metadata/ HOST:lists/metadata/
"""


def register(subparsers: Any) -> None:
    subparsers.add_parser(
        "mirror",
        help="copy the public folder to where it is served",
        description="Only `metadata/` and `targets/` of the folder are touched.",
        epilog=_EXAMPLES,
    ).add_argument("folder", metavar="DIR", type=Path)


def run(args: argparse.Namespace, context: HubContext) -> int:
    with closing(open_hub(context)) as hub, hub.repository.lock():
        hub.repository.load()
        done = mirror(context.public, args.folder, now=context.clock.wall(), disk=context.disk)
        remember(hub, args.folder)
    if context.json:
        print_json({"written": done.written, "removed": done.removed})
    else:
        print(f"{args.folder}: {done.written} files written, {done.removed} removed")
    return int(Exit.OK)
