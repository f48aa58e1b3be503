"""`bodycam-hub revoke`: entries, or a whole list, that must go at once."""

from __future__ import annotations

import argparse
from typing import Any

from agent.cli.common import print_json, say
from agent.errors import Exit, UsageError
from agent.hub.acts import recorded
from agent.hub.context import HubContext
from agent.hub.desk import open_desk
from agent.hub.progress import bars
from agent.hub.revoke import Revocation
from agent.hub.served import say_behind
from agent.hub.telling import facts_json, facts_lines, forget_run

_EXAMPLES = """examples:
  bodycam-hub revoke wanted --entry E-17 E-18
  bodycam-hub revoke wanted --subject S-4
  bodycam-hub revoke wanted --authorisation WARRANT-9
  bodycam-hub revoke wanted --all        # devices destroy what they have of it
  bodycam-hub lists drop wanted          # and the list itself ends
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "revoke",
        help="take entries, or a whole list, back at once",
        description="A new version without them: shards that held them are written again under "
        "new keys,\nand the old ones deleted. A device follows at its next sync, at the latest at "
        "the end of the list.",
        epilog=_EXAMPLES,
    )
    add = parser.add_argument
    add("list", metavar="LIST", help="its name or id")
    for name, text in (
        ("entry", "these entries"),
        ("subject", "every entry of these subjects"),
        ("authorisation", "every entry under these authorisations"),
    ):
        add(f"--{name}", metavar="ID", nargs="+", default=[], help=text)
    add("--all", action="store_true", help="every entry: the list becomes empty")


def run(args: argparse.Namespace, context: HubContext) -> int:
    named = args.entry or args.subject or args.authorisation
    if bool(named) == args.all:
        raise UsageError("revoke: name --entry, --subject or --authorisation, or else --all")
    with bars() as progress, open_desk(context, progress) as desk:
        record = desk.lists.get(args.list)
        desk.ready()
        now = context.clock.wall()
        revocation = Revocation(now, args.entry, args.subject, args.authorisation, args.all)
        with recorded(context, "revoke-entries", record.id, say=say) as act:
            facts = desk.issue(record, revocation, now)
            act.facts |= desk.cited(record)
        if args.all:
            desk.hub.devices.forget(record.id)
        forget_run(desk.reports(record))
        if context.json:
            print_json(facts_json(record, facts))
            return int(Exit.OK)
        print("\n".join(facts_lines(record, facts)))
        if args.all:
            say(f"the empty list stays; to end it: bodycam-hub lists drop {record.name}")
        say_behind(desk.hub, context)
    return int(Exit.OK)
