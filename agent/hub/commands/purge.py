"""`bodycam-hub purge`: retention, revoked authorisations, legal holds."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any, Final

from agent.cli.common import print_json
from agent.errors import Exit, UsageError
from agent.hub.acts import KIND as ACT
from agent.hub.chain import log_lines
from agent.hub.context import HubContext
from agent.hub.policies import in_force
from agent.hub.purge import hold, purge, release
from agent.hub.station import Station, open_station
from agent.messages import iso_utc

_DAY_S: Final = 86_400.0
_EXAMPLES: Final = """examples:
  bodycam-hub purge --older-than 31
  bodycam-hub purge --retention                        # as the policy says; `receive` does it too
  bodycam-hub purge --older-than 31 --dry-run --json
  bodycam-hub purge --authorisation WARRANT-9          # a court revoked it
  bodycam-hub purge --hold 01JD2Q8X4M0000000000000000 --reason "case 17/2026"
  bodycam-hub purge --release 01JD2Q8X4M0000000000000000
  bodycam-hub purge --log

What is purged is overwritten; its id stays, so that a camera that sends it again is acknowledged
and nothing comes back. What is held stays, with the alert it follows up and all that follow that
up. Every purge, hold and review is in the log. Exit codes: 64 usage, 66 no such event, 77 purged.
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "purge", help="retention, revoked authorisations, legal holds", epilog=_EXAMPLES
    )
    add = parser.add_argument
    add("--older-than", metavar="DAYS", type=float, help="events received longer ago")
    add("--authorisation", metavar="ID", help="events raised under it")
    add(
        "--retention",
        action="store_true",
        help="events received longer ago than the policy in force keeps them",
    )
    add("--dry-run", action="store_true", help="only count")
    add("--reason", metavar="TEXT", default="", help="of a hold")
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--hold", metavar="EVENT", help="keep it whatever is purged")
    one.add_argument("--release", metavar="EVENT", help="end a hold")
    one.add_argument("--log", action="store_true", help="show what was done to events, and refused")


def run(args: argparse.Namespace, context: HubContext) -> int:
    _check(args)
    with open_station(context) as station:
        now = context.clock.wall()
        if args.log:
            _show_log(context, station)
        elif args.hold or args.release:
            _hold(args, context, station, now)
        else:
            _purge(args, context, station, now)
    return int(Exit.OK)


def _check(args: argparse.Namespace) -> None:
    if args.retention and args.older_than is not None:
        raise UsageError("purge: --retention and --older-than both say how old")
    deletes = args.retention or args.older_than is not None or args.authorisation is not None
    if deletes and (args.hold or args.release or args.log):
        raise UsageError("purge: holds are set by themselves, without deleting")
    if args.older_than is not None and not 0 <= args.older_than <= 36_500:  # noqa: PLR2004
        raise UsageError("purge: --older-than takes days from 0 to 36500")
    if args.hold and not (args.reason and args.reason.isprintable()):
        raise UsageError("purge: a hold needs a --reason of one line")


def _purge(args: argparse.Namespace, context: HubContext, station: Station, now: float) -> None:
    days = in_force(station.hub).retention_days if args.retention else args.older_than
    before = None if days is None else now - days * _DAY_S
    done = purge(
        station.store,
        received_before=before,
        authorisation=args.authorisation,
        dry=args.dry_run,
        now=now,
    )
    if context.json:
        return print_json({"dry_run": args.dry_run, **asdict(done)})
    verb = "would delete" if args.dry_run else "deleted"
    print(f"{verb} {done.events} events with {done.reviews} reviews; {done.held} held")
    return None


def _hold(args: argparse.Namespace, context: HubContext, station: Station, now: float) -> None:
    stored = station.store.get(args.hold or args.release)
    if args.hold:
        hold(station.store, stored, args.reason, now=now)
    else:
        release(station.store, stored, now=now)
    if context.json:
        return print_json({"event": stored.id, "hold": args.reason or None})
    print(f"{stored.id}: {'held' if args.hold else 'released'}")
    return None


def _show_log(context: HubContext, station: Station) -> None:
    records = [json.loads(line) for line in log_lines(station.database)]
    refusals = station.database.read(
        "SELECT minute * 60.0, why, device, count, detail FROM refusal ORDER BY minute, why, device"
    )
    told = {
        "log": [
            {"at": one["time"], "what": one["kind"], "detail": _detail(one["fields"])}
            for one in records
            if one["kind"] not in ("checkpoint", ACT)
        ],
        "refused": [
            {"minute": iso_utc(at), "why": why, "device": name, "count": count, "first": text}
            for at, why, name, count, text in refusals
        ],
    }
    if context.json:
        return print_json(told)
    for one in told["log"]:
        print(f"{one['at']}  {one['what']:<18} {one['detail']}")
    for one in told["refused"]:
        who = one["device"] or "-"
        print(f"{one['minute']}  refused {one['count']}x {one['why']} {who}: {one['first']}")
    return None


def _detail(fields: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in fields.items())
