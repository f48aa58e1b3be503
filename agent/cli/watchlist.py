"""`bodycam-agent watchlist`: the local list, for field tests."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import Any

import numpy as np

from agent.app import Context
from agent.app.serving import stored_list
from agent.cli import watchlist_enrol, watchlist_import, watchlist_sync
from agent.cli.common import print_json, take_passphrase
from agent.errors import Exit, RefusedError, UsageError
from agent.messages import iso_utc
from agent.values import Wall
from agent.watchlist.columns import StoredList, text
from agent.watchlist.edit import find, remove
from agent.watchlist.entries import Kind
from agent.watchlist.listfile import sha256_of

_EXAMPLES = """examples:
  bodycam-agent watchlist enrol front.jpg side.jpg --subject S-1 --basis consent \\
      --purpose test --authorisation TEST-1 --not-after 2026-12-31
  bodycam-agent watchlist import vectors.npy --metadata entries.csv
  bodycam-agent watchlist import --distractors 1000 --seed 1 --authorisation TEST-1 \\
      --not-after 2026-12-31
  bodycam-agent watchlist list --json
  bodycam-agent watchlist show S-1-1
  bodycam-agent watchlist remove --subject S-1
  bodycam-agent watchlist stats
  bodycam-agent watchlist sync
  bodycam-agent watchlist verify

Ids are opaque: never put a name into one. A running agent notices a change within a second.
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "watchlist",
        help="the local list, or the agency's: enrol, list, show, remove, stats, sync, verify",
        description="The local watchlist in the state folder, or on a provisioned device the "
        "agency's (stats, sync, verify). Every change is audited.",
        epilog=_EXAMPLES,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    watchlist_enrol.register(actions)
    watchlist_import.register(actions)
    take_passphrase(actions.add_parser("list", help="every entry, one a line", epilog=_EXAMPLES))
    show = actions.add_parser(
        "show", help="one entry with the origin of its templates", epilog=_EXAMPLES
    )
    show.add_argument("entry", metavar="ENTRY")
    take_passphrase(show)
    gone = actions.add_parser(
        "remove", help="entries, or everything about a subject", epilog=_EXAMPLES
    )
    gone.add_argument("entries", metavar="ENTRY", nargs="*", default=[])
    gone.add_argument("--subject", metavar="ID", action="append", default=[])
    stats = actions.add_parser(
        "stats", help="counts by basis, purpose, expiry and embedder", epilog=_EXAMPLES
    )
    take_passphrase(stats)
    watchlist_sync.register(actions)


def run(args: argparse.Namespace, context: Context) -> int:
    if context.provisioned and args.action in ("enrol", "import", "remove"):
        raise RefusedError(
            f"watchlist {args.action}: this device serves its agency's list and no other; entries "
            "are changed at the hub"
        )
    actions = {
        "enrol": watchlist_enrol.run,
        "import": watchlist_import.run,
        "list": _list,
        "show": _show,
        "remove": _remove,
        "stats": _stats,
        "sync": watchlist_sync.run_sync,
        "verify": watchlist_sync.run_verify,
    }
    return actions[args.action](args, context)


def _list(args: argparse.Namespace, context: Context) -> int:
    del args
    stored, now = stored_list(context), context.clock.wall()
    counts = np.bincount(stored.columns.owner, minlength=len(stored.columns))
    rows = (
        {**_entry(stored, row, now), "templates": int(counts[row])}
        for row in range(len(stored.columns))
    )
    if context.json:
        print_json({"list": _ref(stored), "entries": list(rows)})
        return int(Exit.OK)
    line = "{entry:<24} {subject:<20} {state:<8} {not_after:<24} {templates:>9}  {codes}\n"
    head = {name: name for name in ("entry", "subject", "state", "not_after", "templates")}
    sys.stdout.write(line.format(**head, codes="basis/purpose/authorisation"))
    for one in rows:
        codes = f"{one['basis']}/{one['purpose']}/{one['authorisation']}"
        sys.stdout.write(line.format(**one, codes=codes))
    return int(Exit.OK)


def _show(args: argparse.Namespace, context: Context) -> int:
    stored = stored_list(context)
    row = find(stored, args.entry)
    origins = [
        {"sha256": one.sha256, "kind": one.kind.name.lower(), "embedder": one.embedder}
        for one in stored.columns.provenance(row)
    ]
    entry = {**_entry(stored, row, context.clock.wall()), "provenance": origins}
    if context.json:
        print_json(entry)
        return int(Exit.OK)
    for name, value in entry.items():
        if name != "provenance":
            sys.stdout.write(f"{name:>14}  {value}\n")
    for one in origins:
        sys.stdout.write(f"{'template':>14}  {one['kind']} sha256 {one['sha256']}\n")
    return int(Exit.OK)


def _remove(args: argparse.Namespace, context: Context) -> int:
    if not args.entries and not args.subject:
        raise UsageError("watchlist remove: name entries, or --subject ID")
    before = StoredList.empty()

    def change(stored: StoredList) -> StoredList:
        nonlocal before
        before = stored
        return remove(stored, entries=args.entries, subjects=args.subject)

    def removed(after: StoredList) -> dict[str, int]:
        return {
            "entries": len(before.columns) - len(after.columns),
            "templates": len(before.columns.owner) - len(after.columns.owner),
        }

    after = context.watchlist().update(
        change,
        record=lambda new: context.audit().append(
            "remove", list=new.id, version=new.version, sha256=sha256_of(new), **removed(new)
        ),
    )
    answer = {"list": _ref(after), "removed": removed(after)}
    if context.json:
        print_json(answer)
    else:
        sys.stdout.write(
            f"removed {answer['removed']['entries']} entries; "
            f"{len(after.columns)} remain (version {after.version})\n"
        )
    return int(Exit.OK)


def _stats(args: argparse.Namespace, context: Context) -> int:
    del args
    if context.provisioned:
        answer = watchlist_sync.stats(context)
    else:
        answer = _figures(context.watchlist().load(), context.clock.wall())
    if context.json:
        print_json(answer)
        return int(Exit.OK)
    for name, value in answer.items():
        shown = value
        if isinstance(value, dict):
            shown = ", ".join(f"{key}: {count}" for key, count in value.items())
        sys.stdout.write(f"{name:>14}  {shown}\n")
    return int(Exit.OK)


def _figures(stored: StoredList, now: Wall) -> dict[str, Any]:
    columns = stored.columns
    change = columns.next_change(now)
    return {
        "list": _ref(stored),
        "space": stored.space,
        "dim": columns.dim,
        "entries": len(columns),
        "subjects": len(np.unique(columns.subject)),
        "templates": len(columns.owner),
        "state": _count(_state(b, e, now) for b, e in _periods(stored)),
        "basis": _count(columns.basis[row] for row in range(len(columns))),
        "purpose": _count(columns.purpose[row] for row in range(len(columns))),
        "authorisation": _count(columns.authorisation[row] for row in range(len(columns))),
        "expiry": _count(iso_utc(end)[:10] for _, end in _periods(stored)),
        "embedder": _count(columns.embedder[row] for row in range(len(columns.owner))),
        "kind": _count(Kind(kind).name.lower() for kind in columns.kind.tolist()),
        "next_change": None if change is None else iso_utc(change),
    }


def _periods(stored: StoredList) -> list[tuple[float, float]]:
    begin, end = stored.columns.not_before.tolist(), stored.columns.not_after.tolist()
    return list(zip(begin, end, strict=True))


def _count(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _entry(stored: StoredList, row: int, now: Wall) -> dict[str, Any]:
    columns = stored.columns
    begin, end = float(columns.not_before[row]), float(columns.not_after[row])
    return {
        "entry": text(columns.entry[row]),
        "subject": text(columns.subject[row]),
        "basis": columns.basis[row],
        "purpose": columns.purpose[row],
        "authorisation": columns.authorisation[row],
        "priority": int(columns.priority[row]),
        "not_before": iso_utc(begin),
        "not_after": iso_utc(end),
        "state": _state(begin, end, now),
    }


def _state(begin: float, end: float, now: Wall) -> str:
    if now >= end:
        return "expired"
    return "valid" if now >= begin else "pending"


def _ref(stored: StoredList) -> dict[str, Any]:
    return {"id": stored.id, "version": stored.version}
