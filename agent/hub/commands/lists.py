"""`bodycam-hub lists`: which there are, and how one ends."""

from __future__ import annotations

import argparse
from typing import Any

from agent.cli.common import print_json, say
from agent.errors import Exit
from agent.hub.acts import recorded
from agent.hub.context import HubContext
from agent.hub.desk import Desk, open_desk
from agent.hub.devices import Devices
from agent.hub.list_values import Facts, ListRecord
from agent.hub.readers import readers_of_several, several_line
from agent.hub.served import say_behind
from agent.hub.telling import forget_run
from agent.messages import iso_utc

_EXAMPLES = """examples:
  bodycam-hub lists
  bodycam-hub lists --json
  bodycam-hub revoke folk --all && bodycam-hub lists drop folk   # a slip of the keyboard
  bodycam-hub lists drop L-5f0c2a9be1d04736 --lost                # after lists.sqlite was lost

A camera follows one list. See `bodycam-hub devices assign` for which.
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser("lists", help="which there are; end one", epilog=_EXAMPLES)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("list", help="every list, one a line (the default)", epilog=_EXAMPLES)
    drop = actions.add_parser("drop", help="end a list that is empty", epilog=_EXAMPLES)
    drop.add_argument("list", metavar="LIST", help="its name or id")
    drop.add_argument(
        "--lost", action="store_true", help="this hub knows nothing of it any more: LIST is its id"
    )


def run(args: argparse.Namespace, context: HubContext) -> int:
    (_drop if args.action == "drop" else _list)(args, context)
    return int(Exit.OK)


def _list(args: argparse.Namespace, context: HubContext) -> None:
    del args
    with open_desk(context) as desk:
        devices = desk.hub.devices
        rows = [_row(one, desk.lists.facts(one.id), devices) for one in desk.lists.every()]
        several = readers_of_several(devices, desk.lists.made())
    if context.json:
        return print_json(rows)
    line = "{name:<20} {list:<19} {version:>7} {entries:>7} {not_after:<25} {devices:>7}"
    heads = ("name", "list", "version", "entries", "not_after", "devices")
    print(line.format(**{name: name for name in heads}))
    for row in rows:
        print(line.format(**{**row, "not_after": row["not_after"] or "-"}))
    if several:
        say(several_line(several))
    return None


def _row(record: ListRecord, facts: list[Facts], devices: Devices) -> dict[str, Any]:
    last = facts[-1] if facts else None
    return {
        "name": record.name,
        "list": record.id,
        "version": last.version if last else 0,
        "entries": last.entries if last else 0,
        "not_after": iso_utc(last.not_after) if last else None,
        "devices": len(devices.recipients(record.id)),
    }


def _drop(args: argparse.Namespace, context: HubContext) -> None:
    now = context.clock.wall()
    with open_desk(context, lost=args.lost) as desk:
        desk.ready()
        about = args.list if args.lost else desk.lists.get(args.list).id
        with recorded(context, "drop-list", about, say=say):
            drop = _drop_lost if args.lost else _drop_one
            told = drop(desk, args.list, now)
        if context.json:
            return print_json({"dropped": told["list"], **told})
        print(f"{args.list}: ended; cameras that have it delete it at their next look")
        if told["devices"]:
            say(
                f"these may read no list but that one: {', '.join(told['devices'])}; see "
                "`bodycam-hub devices assign`"
            )
        say_behind(desk.hub, context)
    return None


def _drop_one(desk: Desk, name: str, now: float) -> dict[str, Any]:
    record = desk.lists.get(name)
    with desk.publisher.alone(desk.folder):
        desk.publisher.drop(record, now)
    forget_run(desk.reports(record))
    return {"list": record.id, "devices": _without(desk, record.id)}


def _drop_lost(desk: Desk, list_id: str, now: float) -> dict[str, Any]:
    with desk.publisher.alone(desk.folder):
        desk.publisher.drop_lost(list_id, now)
    return {"list": list_id, "devices": _without(desk, list_id)}


def _without(desk: Desk, list_id: str) -> list[str]:
    """Cameras that could read that list alone."""
    devices = desk.hub.devices
    return [one.name for one in devices.every() if devices.lists_of(one) == (list_id,)]
