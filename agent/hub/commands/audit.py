"""`bodycam-hub audit`: the hub's own log of what was done here."""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from agent.audit.walk import Trust
from agent.cli.audit import sentences
from agent.cli.common import print_json
from agent.errors import Exit
from agent.hub.acts import unfinished
from agent.hub.chain import log_lines, verify_log
from agent.hub.context import HubContext
from agent.hub.events_database import FILE, EventsDatabase
from agent.hub.files import private_folder
from agent.hub.hub import Hub, open_hub

_EXAMPLES: Final = """examples:
  bodycam-hub audit verify
  bodycam-hub audit show --json
  bodycam-hub audit export --out hub-log     # for an auditor: `audit verify --folder hub-log`

Every version of a list that is published, every revocation, policy, authorisation, and change of a
camera or of a key, every review, purge, legal hold and change of reviewers, and every camera whose
log is forked, in a chain like that of the cameras, signed with the key of the hub's
acknowledgements. No names, no words of a review. Of what is done to other files there is a record
before and one after: one without the other was cut short, and verify says so. Exit codes: 65 the
log was changed.
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser("audit", help="the hub's own audit log", epilog=_EXAMPLES)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("verify", help="walk the chain", epilog=_EXAMPLES)
    actions.add_parser("show", help="the records, one a line", epilog=_EXAMPLES)
    export = actions.add_parser("export", help="as a folder that anybody can check")
    export.add_argument("--out", metavar="DIR", type=Path, required=True)


def run(args: argparse.Namespace, context: HubContext) -> int:
    with (
        closing(open_hub(context)) as hub,
        closing(EventsDatabase(context.state_dir / FILE)) as database,
    ):
        if args.action == "verify":
            return _verify(hub, database, context)
        lines = log_lines(database)
    if args.action == "export":
        _export(args.out, lines, context)
    elif context.json:
        print_json([json.loads(line) for line in lines])
    else:
        for record in map(json.loads, lines):
            fields = json.dumps(record["fields"])
            print(f"{record['seq']:>6} {record['time']} {record['kind']} {fields}")
    return int(Exit.OK)


def _verify(hub: Hub, database: EventsDatabase, context: HubContext) -> int:
    found = verify_log(database, hub.ack_public)
    open_acts = unfinished(map(json.loads, log_lines(database))) if found.intact else []
    if context.json:
        print_json(
            {
                "intact": found.intact,
                "records": found.records,
                "head": found.head.hash,
                "protected": found.protected if found.protected >= 0 else None,
                "unsigned": found.unsigned,
                "signer": found.signer or None,
                "problem": found.problem,
                "unfinished": [one["seq"] for one in open_acts],
            }
        )
    elif found.intact:
        print("\n".join(sentences(found, Trust(hub.ack_public.hex()))) or "no record yet")
        for one in open_acts:
            fields = one["fields"]
            print(
                f"record {one['seq']}: {fields['what']} of {fields['about']} began at {one['time']}"
                " and did not end: it was cut short, or is at work now"
            )
    else:
        print(f"the hub's log was changed: {found.problem}")
    return int(Exit.OK if found.intact else Exit.DATA)


def _export(out: Path, lines: list[bytes], context: HubContext) -> None:
    private_folder(out)
    when = context.clock.wall()
    context.disk.write(out / "audit.jsonl", b"".join(lines), when=when, mode=0o600)
    if context.json:
        return print_json({"records": len(lines), "folder": str(out)})
    print(f"{len(lines)} records in {out}")
    return None
