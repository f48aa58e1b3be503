"""`bodycam-hub reviewers`: who may decide, and how many must."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from agent.cli.common import print_json
from agent.errors import Exit, RefusedError
from agent.hub.context import HubContext
from agent.hub.keyfiles import KeyFiles
from agent.hub.passphrases import Passphrases
from agent.hub.review_records import Reviewer
from agent.hub.reviewers import Reviewers, key_path
from agent.hub.station import open_station
from agent.messages import iso_utc

_EXAMPLES: Final = """examples:
  bodycam-hub reviewers add "A. Person"
  bodycam-hub reviewers add badge-7 --key /media/usb/badge-7.pem
  bodycam-hub reviewers list --json
  bodycam-hub reviewers rule --two-person on
  bodycam-hub reviewers remove badge-7

Each has an Ed25519 key under a passphrase of their own, which nobody else should know; what they
decide is signed with it. With two-person on, an alert is confirmed when two different keys have
confirmed it; one rejection always rejects. What a removed reviewer signed before still counts.
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "reviewers", help="who may decide, and how many must", epilog=_EXAMPLES
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = actions.add_parser("add", help="a reviewer with a new key", epilog=_EXAMPLES)
    add.add_argument("name", metavar="NAME")
    add_key_options(add)
    actions.add_parser("list", help="every reviewer, one a line", epilog=_EXAMPLES)
    remove = actions.add_parser("remove", help="decides no longer", epilog=_EXAMPLES)
    remove.add_argument("name", metavar="NAME")
    rule = actions.add_parser("rule", help="how many must confirm", epilog=_EXAMPLES)
    rule.add_argument("--two-person", choices=("on", "off"), help="(default: only show)")


def add_key_options(parser: argparse.ArgumentParser) -> None:
    """Where a reviewer's key is, and what opens it."""
    parser.add_argument(
        "--key",
        metavar="FILE",
        type=Path,
        help="the reviewer's key file (default: keys/reviewers/NAME.pem in the hub folder)",
    )
    parser.add_argument(
        "--reviewer-passphrase-file",
        metavar="FILE",
        type=Path,
        help="the reviewer's own passphrase, one line (default: you are asked)",
    )


def reviewer_files(args: argparse.Namespace, context: HubContext) -> KeyFiles:
    """Opens and locks with the reviewer's passphrase, never with the hub's."""
    given = args.reviewer_passphrase_file
    passphrases = Passphrases((given,) if given else (), ask=context.ask)
    return KeyFiles(passphrases, context.cost, context.disk)


def run(args: argparse.Namespace, context: HubContext) -> int:
    actions = {"add": _add, "list": _list, "remove": _remove, "rule": _rule}
    with open_station(context) as station:
        actions[args.action](args, context, station.reviewers)
    return int(Exit.OK)


def _add(args: argparse.Namespace, context: HubContext, reviewers: Reviewers) -> None:
    path = args.key or key_path(context.keys_dir, args.name)
    files = reviewer_files(args, context)
    made = reviewers.add(args.name, path, files, now=context.clock.wall())
    if context.json:
        return print_json(_row(made) | {"file": str(path)})
    print(f"{made.name}: may review, key {made.key_id} in {path}")
    return None


def _list(_args: argparse.Namespace, context: HubContext, reviewers: Reviewers) -> None:
    rows = [_row(one) for one in reviewers.every()]
    if context.json:
        return print_json(rows)
    for row in rows:
        until = f" to {row['removed']}" if row["removed"] else ""
        print(f"{row['name']:<24} {row['key_id']}  from {row['added']}{until}")
    return None


def _remove(args: argparse.Namespace, context: HubContext, reviewers: Reviewers) -> None:
    reviewers.remove(args.name, now=context.clock.wall())
    if context.json:
        return print_json({"removed": args.name})
    print(f"{args.name}: reviews no longer; destroy the key file")
    return None


def _rule(args: argparse.Namespace, context: HubContext, reviewers: Reviewers) -> None:
    if args.two_person == "off" and reviewers.least > 1:
        raise RefusedError("the policy in force asks for two reviewers: publish another one first")
    if args.two_person:
        reviewers.require(2 if args.two_person == "on" else 1, now=context.clock.wall())
    needed = reviewers.needed
    if context.json:
        return print_json({"confirmations_needed": needed})
    keys = "two different reviewers" if needed > 1 else "one reviewer"
    print(f"confirmed when {keys} confirmed it; one rejection rejects")
    return None


def _row(one: Reviewer) -> dict[str, Any]:
    return {
        "name": one.name,
        "key_id": one.key_id,
        "public_key": one.public.hex(),
        "added": iso_utc(one.added),
        "removed": None if one.removed is None else iso_utc(one.removed),
    }
