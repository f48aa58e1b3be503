"""`bodycam-agent audit`: check the chain, read it."""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from agent.adapters.audit_log import AuditLog
from agent.adapters.checkpoint_events import trust_in
from agent.adapters.device_identity import read_identity
from agent.app import Context
from agent.audit.chain import KINDS
from agent.audit.walk import ChainReport, Trust
from agent.cli.common import print_json, read_at_most, say
from agent.cli.dates import day_or_time
from agent.errors import DataError, Exit, MissingFileError, UsageError
from agent.messages import iso_utc

_MAX_ANCHORS: Final = 1 << 29
_EXAMPLES: Final = """examples:
  bodycam-agent audit verify
  bodycam-agent audit verify --anchors CAM-7.anchors.json     # from `bodycam-hub anchors CAM-7`
  bodycam-agent audit verify --folder /media/usb/audit --key 5f0c...   # a copy, anywhere
  bodycam-agent audit show --last 20
  bodycam-agent audit show --kind arm --kind disarm --since 2026-03-01 --json

verify exits with 65 when a record before the last checkpoint was changed, removed, put in or moved.
What comes after that checkpoint is linked only, and is counted. Whether the end was cut off or the
whole disk put back to an older state, only the hub's anchors show. A line torn by a loss of power
is told apart and is no failure. How to check a log without this program:
agent/docs/audit-format.md.
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "audit",
        help="verify and show the audit log",
        description="The hash-chained, signed audit log in the state folder.",
        epilog=_EXAMPLES,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("verify", help="walk the whole log", epilog=_EXAMPLES)
    check.add_argument("--anchors", metavar="FILE", type=Path, help="checkpoints the hub has of it")
    check.add_argument("--key", metavar="HEX", help="the device's public key, from the hub")
    show = actions.add_parser("show", help="the records, one a line", epilog=_EXAMPLES)
    show.add_argument("--last", metavar="N", type=int, help="only the last N")
    show.add_argument("--kind", metavar="KIND", action="append", help="only these; may be repeated")
    show.add_argument("--since", metavar="DATE", help="only from this day or time on (UTC)")
    for each in (check, show):
        each.add_argument("--folder", metavar="DIR", type=Path, help="of a copied log")


def run(args: argparse.Namespace, context: Context) -> int:
    log = AuditLog(args.folder, context.clock) if args.folder else context.audit()
    if not log.exists():
        raise MissingFileError(f"{log.path}: no audit log here; check --state-dir or --folder")
    return _verify(args, context, log) if args.action == "verify" else _show(args, context, log)


def _verify(args: argparse.Namespace, context: Context, log: AuditLog) -> int:
    trust = _trust(args, context)
    report = log.verify(trust)
    if context.json:
        print_json(
            {
                "intact": report.intact,
                "records": report.records,
                "first": report.first,
                "head": report.head.hash,
                "protected": report.protected if report.protected >= 0 else None,
                "protected_at": report.protected_at or None,
                "unsigned": report.unsigned,
                "signer": report.signer or None,
                "signer_known": bool(report.signer) and report.signer == trust.key,
                "anchored": report.anchored if report.anchored >= 0 else None,
                "torn": report.torn,
                "problem": report.problem,
            }
        )
    else:
        sys.stdout.writelines(f"{line}\n" for line in sentences(report, trust))
    if not report.intact:
        say(f"bodycam-agent: {log.path}: the audit log was changed: {report.problem}")
        return int(Exit.DATA)
    if not report.records:
        say(f"bodycam-agent: {log.path}: no record in it: it was emptied, or never written")
        return int(Exit.DATA)
    return int(Exit.OK)


def _trust(args: argparse.Namespace, context: Context) -> Trust:
    """The key given; else that of the anchors; else this device's own, unless it is a copy."""
    trust = Trust() if args.anchors is None else trust_in(read_at_most(args.anchors, _MAX_ANCHORS))
    if args.key:
        if not re.fullmatch(r"[0-9a-f]{64}", args.key):
            raise UsageError("audit verify --key: 64 hexadecimal digits, as the hub shows them")
        if trust.key not in ("", args.key):
            raise DataError(f"{args.anchors}: anchors of another key than --key")
        return replace(trust, key=args.key)
    if trust.key or args.folder or not context.provisioned:
        return trust
    return replace(trust, key=read_identity(context.keys_dir).sign_key.hex())


def sentences(report: ChainReport, trust: Trust) -> list[str]:
    """What `verify` found, for people; nothing of an empty log."""
    if not report.linked:
        return [f"{report.records} records are intact, then the chain is broken"]
    if not report.records:
        return []
    torn = "; its last line is unfinished, as a loss of power leaves it" if report.torn else ""
    said = [
        f"{report.records} records, each follows from the one before{torn}; head {report.head.hash}"
    ]
    if not report.intact:
        return [*said, "yet the log is not whole"]
    if report.first:
        said.append(
            f"records 0 to {report.first - 1} were given up for room, as the log itself says"
        )
    if report.protected < 0:
        return [*said, "no checkpoint yet: whoever can write the file can still rewrite all of it"]
    said.append(
        f"signed for up to record {report.protected} at {report.protected_at} with key "
        f"{report.signer}: nothing up to there was changed"
    )
    if report.unsigned:
        said.append(
            f"{report.unsigned} records after that are linked only: whoever can write the file "
            "could have written them anew, or cut off others"
        )
    if not trust.key:
        said.append("compare that key with what the agency has of this device")
    if trust.anchors:
        said.append(f"as the hub knows it up to record {report.anchored}")
    return said


def _show(args: argparse.Namespace, context: Context, log: AuditLog) -> int:
    if args.last is not None and args.last < 1:
        raise UsageError("audit show --last: a number from 1 up")
    for kind in args.kind or ():
        if kind not in KINDS:
            raise UsageError(
                f"audit show --kind: no such kind: {kind!a}; one of {', '.join(KINDS)}"
            )
    since = iso_utc(day_or_time(args.since, "audit show --since")) if args.since else ""
    records = [_loads(line) for line in log.lines()]
    chosen = [one for one in records if _wanted(one, args.kind, since)]
    chosen = chosen if args.last is None else chosen[-args.last :]
    if context.json:
        print_json(chosen)
        return int(Exit.OK)
    for record in chosen:
        seq, time, kind = (record.get(key, "?") for key in ("seq", "time", "kind"))
        fields = json.dumps(record.get("fields", {}))  # escapes what a terminal would obey
        sys.stdout.write(f"{seq!a:>6} {_plain(time)} {_plain(kind)} {fields}\n")
    return int(Exit.OK)


def _plain(value: object) -> str:
    """Without quotes; of a damaged record as it must be shown lest the terminal obeys it."""
    text = str(value)
    return text if re.fullmatch(r"[A-Za-z0-9:.-]{1,40}", text) else f"{value!a}"


def _wanted(record: dict[str, Any], kinds: list[str] | None, since: str) -> bool:
    """Times are compared as text: all are UTC with milliseconds."""
    if kinds and record["kind"] not in kinds:
        return False
    return not since or str(record.get("time", "")) >= since


def _loads(line: bytes) -> dict[str, Any]:
    """A record, or for a damaged line what can be said of it: `verify` judges, this only shows."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    damaged = not isinstance(record, dict) or "kind" not in record
    return {"kind": "damaged"} if damaged else record
