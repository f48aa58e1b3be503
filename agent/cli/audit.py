"""`bodycam-agent audit`: check the chain, read it."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from agent.app import Context
from agent.audit.chain import ChainReport
from agent.cli.common import print_json, say
from agent.errors import Exit, MissingFileError, UsageError

_EXAMPLES = """examples:
  bodycam-agent audit verify
  bodycam-agent audit show --last 20
  bodycam-agent audit show --json

verify exits with 65 when a record was changed, removed or put in. A line torn by a loss of power
is told apart and is no failure. That the end was cut off cannot be seen from the log alone.
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "audit",
        help="verify and show the audit log",
        description="The hash-chained audit log in the state folder.",
        epilog=_EXAMPLES,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("verify", help="walk the chain from its first record", epilog=_EXAMPLES)
    show = actions.add_parser("show", help="the records, one a line", epilog=_EXAMPLES)
    show.add_argument("--last", metavar="N", type=int, help="only the last N")


def run(args: argparse.Namespace, context: Context) -> int:
    path = context.audit().path
    if not path.exists():
        raise MissingFileError(f"{path}: no audit log here; check --state-dir")
    return _verify(context) if args.action == "verify" else _show(args, context)


def _verify(context: Context) -> int:
    log = context.audit()
    report = log.verify()
    if context.json:
        print_json(
            {
                "intact": report.intact,
                "records": report.records,
                "head": report.head.hash,
                "torn": report.torn,
                "problem": report.problem,
            }
        )
    else:
        sys.stdout.write(_sentence(report) + "\n")
    if not report.intact:
        say(f"bodycam-agent: {log.path}: the audit log was changed: {report.problem}")
        return int(Exit.DATA)
    return int(Exit.OK)


def _sentence(report: ChainReport) -> str:
    torn = "; its last line is unfinished, as a loss of power leaves it" if report.torn else ""
    if report.intact:
        return f"{report.records} records, none changed{torn}; head {report.head.hash}"
    return f"{report.records} records are intact, then the chain is broken"


def _show(args: argparse.Namespace, context: Context) -> int:
    if args.last is not None and args.last < 1:
        raise UsageError("audit show --last: a number from 1 up")
    lines = context.audit().lines(args.last)
    if context.json:
        print_json([_loads(line) for line in lines])
        return int(Exit.OK)
    for record in map(_loads, lines):
        seq, time, kind = (record.get(key, "?") for key in ("seq", "time", "kind"))
        fields = json.dumps(record.get("fields", {}))  # escapes what a terminal would obey
        sys.stdout.write(f"{seq!a:>6} {time!a} {kind!a} {fields}\n")
    return int(Exit.OK)


def _loads(line: bytes) -> dict[str, Any]:
    """A record, or for a damaged line what can be said of it: `verify` judges, this only shows."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    return record if isinstance(record, dict) else {"kind": "damaged"}
