"""`bodycam-hub init`: keys, roles and an empty repository."""

from __future__ import annotations

import argparse
import re
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from agent.cli.common import print_json, say
from agent.errors import Exit, UsageError
from agent.hub.commands.keys import key_rows
from agent.hub.context import HubContext
from agent.hub.files import require_folder
from agent.hub.hub import Founding, Hub, create_hub, root_digest
from agent.hub.passphrases import Passphrases
from agent.hub.roles import Periods, RoleKeys, default_keys
from agent.hub.typed import check_url, grouped
from agent.hub.vault import open_vault

_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_EXAMPLES = """examples:
  bodycam-hub init --agency example-pd --offline-dir /media/usb --url https://lists.example.org
  bodycam-hub init --agency example-pd --root-keys 5 --root-threshold 3 --expires lists=14
  bodycam-hub init --agency test --passphrase-file hub.txt --offline-passphrase-file offline.txt

Root, targets and policy keys are for offline use: keep their folder away from this machine, and a
second copy somewhere else. The fingerprint is typed on every device, as `status` shows
it on that day.
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "init", help="keys, roles and an empty repository", epilog=_EXAMPLES
    )
    add = parser.add_argument
    add("--agency", metavar="SLUG", required=True, help="letters, digits, `.`, `-`, `_`")
    add("--url", default="", help="where the public folder will be served")
    add("--root-keys", type=int, default=3, metavar="N", help="(default: 3)")
    add("--root-threshold", type=int, default=2, metavar="N", help="(default: 2)")
    add(
        "--expires",
        metavar="ROLE=DAYS",
        action="append",
        default=[],
        help="how long a signature is good for; may be given again (defaults: root 365, targets "
        "and policy 90, authorisations, lists and commands 30, snapshot 7, timestamp 1)",
    )
    add(
        "--offline-passphrase-file",
        metavar="FILE",
        type=Path,
        help="passphrase of the offline keys (default: the first --passphrase-file)",
    )


def run(args: argparse.Namespace, context: HubContext) -> int:
    if not _SLUG.fullmatch(args.agency):
        raise UsageError(f"--agency {args.agency}: letters, digits, `.`, `-` and `_`, at most 64")
    if args.url:
        check_url(args.url)
    for folder in context.offline_dirs:
        require_folder(folder)
    sizes = default_keys(RoleKeys(args.root_keys, args.root_threshold))
    founding = Founding(args.agency, args.url, sizes, Periods().changed(args.expires))
    passphrases = Passphrases(
        context.passphrase_files, offline_file=args.offline_passphrase_file, ask=context.ask
    )
    with closing(create_hub(context, founding, passphrases)) as hub:
        # now, while the passphrase is at hand, and not at the first list
        open_vault(hub.ring.working, hub.ring.files, when=context.clock.wall(), fresh=True)
        _answer(hub, context)
        _say_two_people(hub)
        if context.passphrase_files and args.offline_passphrase_file is None:
            say("note: offline keys have the passphrase of the others; better give them their own")
    return int(Exit.OK)


def _say_two_people(hub: Hub) -> None:
    """Two signatures mean two people only once each of them has a key of their own."""
    keys, needed = hub.repository.load().keys["policy"]
    second = hub.ring.locate("policy", keys[-1].keyid)
    if needed > 1:
        say(
            f"policies need {needed} people: move {second} to the stick of the second one, who "
            "then gives it a passphrase of their own (`bodycam-hub keys passphrase FILE`)"
        )


def _answer(hub: Hub, context: HubContext) -> None:
    digest = root_digest(hub)
    if context.json:
        return print_json(
            {
                "agency": hub.agency,
                "hub": str(context.state_dir),
                "public": str(context.public),
                "root": {"version": 1, "sha256": digest},
                "keys": key_rows(hub),
            }
        )
    first, second = grouped(digest)
    print(f"hub of {hub.agency} in {context.state_dir}")
    print(f"fingerprint of the trust root, for every device:\n  {first}\n  {second}")
    print(f"offline keys (root, targets, policy): {hub.ring.offline[0]}")
    print(f"to be served by any web server, see `bodycam-hub mirror`: {context.public}")
    return None
