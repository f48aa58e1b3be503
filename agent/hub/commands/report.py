"""`bodycam-hub report`: what a list is made of, and what became of alerts, for an auditor."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import Any

from agent.cli.common import print_json
from agent.cli.dates import days
from agent.errors import Exit, UsageError
from agent.hub.context import HubContext
from agent.hub.desk import open_desk
from agent.hub.events_database import FILE, EventsDatabase
from agent.hub.events_report import hub_report
from agent.hub.hub import open_hub
from agent.hub.policies import in_force
from agent.hub.report import report
from agent.hub.reviewers import Reviewers

_EXAMPLES = """examples:
  bodycam-hub report wanted
  bodycam-hub report wanted --json > audit.json
  bodycam-hub report wanted --entries     # with ids: not for publication
  bodycam-hub report --events --from 2026-03-01 --to 2026-03-31
  bodycam-hub report --events --device CAM-7 --from 2026-03-01 --to 2026-03-31 --json > hub.json
  bodycam-agent report --hub hub.json --from 2026-03-01 --to 2026-03-31 --html report.html
"""
_PLAIN = ("list", "name", "version", "not_after", "entries", "subjects", "templates", "recipients")
_TABLES = (
    "by_basis",
    "by_purpose",
    "by_authorisation",
    "by_embedder",
    "by_days_on_the_list",
    "by_days_left",
    "rejected_photographs",
)


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "report",
        help="what a list is made of, for an auditor",
        description="Counts by basis, purpose, authorisation, age and time left, photographs "
        "refused, and every\nversion with its keys. Nothing of a person, unless --entries.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("list", metavar="LIST", nargs="?", help="its name or id")
    parser.add_argument("--entries", action="store_true", help="with ids of entries and subjects")

    parser.add_argument("--events", action="store_true", help="alerts and reviews instead")
    parser.add_argument("--from", dest="first", metavar="DAY", help="first day, UTC")
    parser.add_argument("--to", dest="last", metavar="DAY", help="last day, included")
    parser.add_argument("--device", metavar="CAMERA", help="only of this camera")


def run(args: argparse.Namespace, context: HubContext) -> int:
    if args.events == bool(args.list):
        raise UsageError("report: LIST, or --events with --from DAY and --to DAY")
    return _events(args, context) if args.events else _list(args, context)


def _events(args: argparse.Namespace, context: HubContext) -> int:
    if not args.first or not args.last:
        raise UsageError("report --events: give --from DAY and --to DAY")
    first, end = days(args.first, args.last, "report")
    with (
        closing(open_hub(context)) as hub,
        closing(EventsDatabase(context.state_dir / FILE)) as database,
    ):
        if args.device:
            hub.devices.latest(args.device)
        told = hub_report(
            database,
            hub.agency,
            first=first,
            end=end,
            device=args.device,
            needed=Reviewers(database, in_force(hub).reviews).needed,
            now=context.clock.wall(),
        )
    tree = told.model_dump(mode="json")
    if context.json:
        print_json(tree)
    else:
        for name, value in tree.items():
            if not isinstance(value, list):
                print(f"{name.replace('_', ' ')}: {_counts(value)}")
    return int(Exit.OK)


def _list(args: argparse.Namespace, context: HubContext) -> int:
    now = context.clock.wall()
    with open_desk(context) as desk:
        record = desk.lists.get(args.list)
        present = desk.present(record, now)
        told = report(
            record,
            present,
            desk.lists.facts(record.id),
            recipients=len(desk.hub.devices.recipients(record.id)),
            now=now,
            entries=args.entries,
        )
    if context.json:
        print_json(told)
    else:
        print("\n".join(_lines(told)))
    return int(Exit.OK)


def _lines(told: dict[str, Any]) -> list[str]:
    lines = [f"{name.replace('_', ' ')}: {told[name]}" for name in _PLAIN]
    for name in _TABLES:
        if told[name]:
            lines.append(f"{name.replace('_', ' ')}:")
            lines += [f"  {key}: {_counts(value)}" for key, value in told[name].items()]
    if told["near_duplicates"] is not None:
        lines.append(f"near duplicates across subjects: {told['near_duplicates']}")
    lines.append("versions:")
    for one in told["versions"]:
        keys = ", ".join(key[:12] for key in one["keys"])
        lines.append(
            f"  {one['version']} {one['created']} {one['command']}: {one['added']} added, "
            f"{one['removed']} removed, {one['replaced']} replaced; {one['entries']} entries; "
            f"for {one['devices']} devices; signed by {keys}"
        )
    for one in told.get("listed", ()):
        lines.append("  ".join(str(value) for value in one.values()))
    return lines


def _counts(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {what}" for what, count in value.items())
    return str(value)
