"""`bodycam-hub review`: compare an alert with the photograph, and decide."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from agent.adapters.signing import KeySigner
from agent.cli.common import print_json, say
from agent.errors import Exit, UsageError
from agent.hub.casebook import Case, Casebook, case_json
from agent.hub.commands.reviewers import add_key_options, reviewer_files
from agent.hub.context import HubContext
from agent.hub.desk import open_desk
from agent.hub.review_records import Reviewer
from agent.hub.review_server import ReviewServer
from agent.hub.review_site import ReviewSite
from agent.hub.reviewers import key_path
from agent.hub.station import open_station
from agent.messages import iso_utc

_WINDOW_S: Final = 600.0
_EXAMPLES: Final = """examples:
  bodycam-hub review list
  bodycam-hub review list --all --json
  bodycam-hub review show 01JD2Q8X4M0000000000000000 --pictures /tmp/case
  bodycam-hub review decide 01JD2Q8X4M0000000000000000 rejected --reviewer badge-7 \\
      --reason "other ears, other chin"
  bodycam-hub review --html --reviewer badge-7      # a page on this machine alone
  bodycam-hub review --html --port 8765             # the same, for looking only

EVENT is an id, or CAMERA/ID. The page opens with a link that is printed here, good once and for
five minutes; one reviewer is logged in at a time. Ctrl-C ends it. Exit codes: 64 usage, 66 no such
event, 69 the port is taken, 77 a wrong passphrase or the same decision twice.
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "review", help="compare an alert with the photograph, and decide", epilog=_EXAMPLES
    )
    parser.add_argument("--html", action="store_true", help="serve a page on 127.0.0.1")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="of it (default: any)")
    parser.add_argument("--reviewer", metavar="NAME", help="who decides on the page")
    add_key_options(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=False)
    listing = actions.add_parser("list", help="alerts that wait for a decision", epilog=_EXAMPLES)
    listing.add_argument("--all", action="store_true", help="those decided on, too")
    show = actions.add_parser("show", help="one alert", epilog=_EXAMPLES)
    show.add_argument("event", metavar="EVENT")
    show.add_argument("--pictures", metavar="DIR", type=Path, help="write its pictures there")
    decide = actions.add_parser("decide", help="confirm or reject", epilog=_EXAMPLES)
    decide.add_argument("event", metavar="EVENT")
    decide.add_argument("decision", choices=("confirmed", "rejected"))
    decide.add_argument("--reviewer", metavar="NAME", required=True)
    decide.add_argument("--reason", metavar="TEXT", required=True)
    add_key_options(decide)


def run(args: argparse.Namespace, context: HubContext) -> int:
    if args.html == bool(args.action):
        raise UsageError("review: one of list, show, decide, or --html (see --help)")
    if not 0 <= args.port <= 65535:  # noqa: PLR2004 -- ports of TCP
        raise UsageError("review: --port must be from 0 to 65535")
    actions = {"list": _list, "show": _show, "decide": _decide}
    with open_casebook(context) as book:
        (actions[args.action] if args.action else _serve)(args, context, book)
    return int(Exit.OK)


@contextmanager
def open_casebook(context: HubContext) -> Iterator[Casebook]:
    """Events, reviewers, and the lists with their photographs.

    Raises:
        as `open_station` and `open_desk`.
    """
    with open_station(context) as station, open_desk(context) as desk:
        yield Casebook(station.hub.agency, station.store, station.reviewers, desk)


def _list(args: argparse.Namespace, context: HubContext, book: Casebook) -> None:
    cases = book.cases(every=args.all)
    if context.json:
        return print_json([_row(one) for one in cases])
    for row in map(_row, cases):
        print(
            f"{row['id']}  {row['time']}  {row['device']:<12} {row['subject']:<16} "
            f"{row['similarity']:.3f} of {row['threshold']:.3f}  {row['status']}"
        )
    say(f"{len(cases)} alerts" if args.all else f"{len(cases)} pending")
    return None


def _show(args: argparse.Namespace, context: HubContext, book: Casebook) -> None:
    stored = book.store.get(args.event)
    case = book.case(stored)
    grounds = book.grounds(case, now=context.clock.wall()) if "entry" in case.data else None
    files = _pictures(args.pictures, context, book, case) if args.pictures else []
    told = case_json(case, grounds, book.store.beside(stored, _WINDOW_S)) | {"pictures": files}
    if context.json:
        return print_json(told)
    for line in _lines(told):
        print(line)
    return None


def _pictures(folder: Path, context: HubContext, book: Casebook, case: Case) -> list[str]:
    found = [] if case.evidence is None else [("evidence.jpg", case.evidence)]
    if "entry" in case.data:
        enrolled = book.photographs(case)
        found += [(f"enrolled-{digest[:12]}.jpg", picture) for digest, picture in enrolled]
    for name, picture in found:
        context.disk.write(folder / name, picture, when=case.stored.received, mode=0o600)
    return [str(folder / name) for name, _ in found]


def _decide(args: argparse.Namespace, context: HubContext, book: Casebook) -> None:
    case = book.case(book.store.get(args.event))
    reviewer, signer = _reviewer(args, context, book)
    now = context.clock.wall()
    done = book.decide(case, reviewer, signer, args.decision, args.reason, now=now)
    if context.json:
        return print_json(_row(done))
    more = "; another reviewer must confirm" if done.status == "pending" else ""
    print(f"{done.stored.id}: {args.decision} by {reviewer.name}, now {done.status}{more}")
    return None


def _serve(args: argparse.Namespace, context: HubContext, book: Casebook) -> None:
    reviewer, signer = _reviewer(args, context, book) if args.reviewer else (None, None)
    with ReviewServer(args.port) as server:
        site = ReviewSite(
            book, server.hosts, context.clock, secrets.token_urlsafe, reviewer, signer
        )
        server.site = site
        print(site.login_link(), flush=True)
        say("open this link in a browser on this machine; it is good once; Ctrl-C ends the page")
        with suppress(KeyboardInterrupt):
            server.serve_forever(poll_interval=0.2)


def _reviewer(
    args: argparse.Namespace, context: HubContext, book: Casebook
) -> tuple[Reviewer, KeySigner]:
    reviewer = book.reviewers.get(args.reviewer)
    path = args.key or key_path(context.keys_dir, args.reviewer)
    return reviewer, book.reviewers.signer(args.reviewer, path, reviewer_files(args, context))


def _row(case: Case) -> dict[str, Any]:
    return {
        "id": case.stored.id,
        "device": case.stored.device,
        "time": case.event["time"],
        "subject": case.event["subject"],
        "entry": case.data["entry"],
        "similarity": case.data["similarity"],
        "threshold": case.data["threshold"],
        "evidence": case.evidence is not None,
        "test": case.data["test"],
        "historical": case.data["historical"],
        "hold": case.stored.hold,
        "status": case.status,
        "confirmations": len(case.reviews),
        "needed": case.needed,
    }


def _lines(told: dict[str, Any]) -> list[str]:
    event, data = told["event"], told["event"]["data"]
    lines = [f"{told['id']} from {told['device']}, received {iso_utc(told['received'])}"]
    plain = {name: value for name, value in data.items() if not isinstance(value, dict)}
    lines += [f"{'subject':>16}  {event['subject']}"] if "subject" in event else []
    lines += [f"{name:>16}  {value}" for name, value in plain.items() if name != "subject"]
    lines += [f"{'location':>16}  {data['location']}"] if data.get("location") else []
    grounds = told["grounds"] or {"basis": "on no list of this hub now"}
    if "not_after" in grounds:
        grounds = grounds | {"not_after": iso_utc(grounds["not_after"])}
    lines += [f"{name:>16}  {value}" for name, value in grounds.items()]
    lines.append(f"{'evidence':>16}  {'yes' if data.get('evidence') else 'no evidence sent'}")
    lines += [f"{'picture':>16}  {path}" for path in told["pictures"]]
    lines += [
        f"{'review':>16}  {one['time']} {one['decision']} by {one['reviewer']}: {one['reason']}"
        for one in told["reviews"]
    ]
    if told["reviews_that_do_not_verify"]:
        lines.append(f"{told['reviews_that_do_not_verify']} reviews do not verify: not counted")
    return [*lines, f"{'status':>16}  {told['status']}"]
