"""`bodycam-hub publish`: the next version of a list."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from agent.cli.common import print_json, say
from agent.errors import Exit, UsageError
from agent.hub.acts import recorded
from agent.hub.composing import Composer
from agent.hub.context import HubContext
from agent.hub.desk import Desk, open_desk
from agent.hub.gather import (
    Gathered,
    Networks,
    Rules,
    from_photographs,
    from_vectors,
    processes,
    shipped_networks,
)
from agent.hub.lists import check_name
from agent.hub.near_duplicates import default_similarity
from agent.hub.photo_sources import GROUNDS, LAYOUT
from agent.hub.progress import Progress, bars
from agent.hub.readers import readers_of_several, several_line
from agent.hub.served import say_behind
from agent.hub.telling import facts_json, facts_lines, run_json, run_lines, write_run
from agent.values import Wall
from agent.watchlist.entries import wall_time

_DAY_S: Final = 86_400.0
_HOUR_S: Final = 3600.0
_VALID_DAYS: Final = 7.0
_VALID_HELP: Final = f"of the list (default: {_VALID_DAYS:g}, or the most that the policy allows)"
_SHOWN: Final = 10
_DESCRIPTION: Final = """\
The next version of a list: made, signed, encrypted and put into the public folder.
Without a source the list stays as it is and gets a new manifest, a new end, and envelopes for the
present devices.

Photographs come as a CSV with one line each (columns image, entry, subject, basis, purpose,
authorisation, priority, not_before, not_after; several lines with one entry make one entry with
several templates), or as a folder with one folder of photographs per subject; then the options
below, or DIR/grounds.csv with the same columns but image, say why they are listed. A photograph is
judged once: a run that was killed goes on where it was. Photographs that are refused are listed
with their reasons, and the list is published without them unless --strict.

`entry` may be left empty and is then SUBJECT-1. `priority` is a whole number from 0 (the default)
to 1000: alerts of a higher one are sent first. Times are 2026-12-31 (not_after includes that day;
UTC) or 2026-12-31T18:00:00Z. A list lasts as long as the policy allows: 31 days for field tests.
"""
_EXAMPLES: Final = """examples:
  bodycam-hub publish wanted --photos wanted.csv
  bodycam-hub publish wanted --photos people/ --basis consent --purpose test \\
      --authorisation TEST-1 --not-after 2026-12-31
  bodycam-hub publish wanted --change today.csv --remove E-17 E-18
  bodycam-hub publish wanted --vectors list.npy --metadata list.csv
  bodycam-hub publish wanted                # after devices were added or removed
  bodycam-hub publish wanted --compact
  bodycam-hub publish missing --new --photos missing.csv   # a second list, see `devices assign`
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "publish",
        help="the next version of a list, from photographs or vectors",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument("list", metavar="LIST", help="its name or id")
    parser.add_argument(
        "--new", action="store_true", help="a list of that name is to be made beside others"
    )
    _register_sources(parser)
    _register_grounds(parser)
    _register_rest(parser)


def _register_sources(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is on it")
    one = group.add_mutually_exclusive_group()
    path: dict[str, Any] = {"type": Path}
    one.add_argument("--photos", metavar="CSV|DIR", **path, help="the whole list")
    one.add_argument("--change", metavar="CSV|DIR", **path, help="entries to add or replace")
    one.add_argument("--vectors", metavar="FILE", **path, help=".npy or .npz: the whole list")
    one.add_argument("--change-vectors", metavar="FILE", **path, help="entries to add or replace")
    add = group.add_argument
    add("--metadata", metavar="CSV", **path, help="what the vectors are, a line each")
    add("--space", metavar="NAME", help="embedder family of the vectors (default: the shipped one)")
    add("--embedder", metavar="SHA256", help="network that made them (default: the shipped one)")
    add("--remove", metavar="ENTRY", nargs="+", default=[], help="entries that go")
    add("--remove-subject", metavar="ID", nargs="+", default=[], help="all entries of subjects")


def _register_grounds(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("for entries that the source says nothing of").add_argument
    for name in GROUNDS:
        add(f"--{name.replace('_', '-')}", metavar="CODE" if name in GROUNDS[:3] else "VALUE")


def _register_rest(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("how").add_argument
    add("--valid-days", metavar="N", type=float, help=_VALID_HELP)
    add("--list-not-after", metavar="TIME", help="end of the list, in place of --valid-days")
    add("--compact", action="store_true", help="rewrite shards with removed rows, and small ones")
    add("--rekey", action="store_true", help="every shard under a new key")
    add("--strict", action="store_true", help="publish nothing when a photograph is refused")
    add(
        "--duplicates",
        metavar="SIMILARITY|off",
        help="report different subjects that are as alike (default: for photographs, what one pair "
        "in a million reaches; for vectors off)",
    )
    add("--workers", metavar="N", type=int, help="processes (default: one for each processor)")
    add("--models-dir", metavar="DIR", default="", help="of the built networks")
    add("--precision", choices=("fp32", "int8"), default="fp32", help="(default: fp32)")


def run(args: argparse.Namespace, context: HubContext) -> int:
    _check(args)
    with bars() as progress, open_desk(context, progress) as desk:
        _check_new(args, desk)
        begin = context.clock.wall()
        longest = desk.publisher.policy.max_list_age_s
        desk.publisher.check_end(_end(args, begin, longest), begin)
        desk.ready()
        networks = shipped_networks(args.models_dir, context.state_dir, args.precision)
        gathered = _gathered(args, desk, networks, context.clock.wall(), progress)
        now = context.clock.wall()
        end = _end(args, now, longest)
        composer = _composer(args, gathered, networks, end, progress)
        return _issue(args, context, desk, composer, now)


def _check_new(args: argparse.Namespace, desk: Desk) -> None:
    """A camera follows one list: a second one is never made by a slip of the keyboard."""
    made, found = desk.lists.made(), desk.lists.find(args.list)
    if found in made:
        if args.new:
            raise UsageError(f"publish: there is a list {args.list} already; leave out --new")
        return
    if found is None:
        check_name(args.list)
    if made and not args.new:
        names = ", ".join(one.name for one in made)
        raise UsageError(
            f"publish: no list {args.list!r}; there are: {names}. To make another one, add "
            "--new, and say which camera reads it (`bodycam-hub devices assign`): each follows one"
        )


def _issue(
    args: argparse.Namespace, context: HubContext, desk: Desk, composer: Composer, now: float
) -> int:
    """Publish, or with --strict do not, and tell what became of it."""
    record = desk.lists.find(args.list) or desk.lists.create(
        args.list, now=now, randomness=context.randomness
    )
    folder, gathered = desk.reports(record), composer.gathered
    enrolment = gathered.enrolment if gathered else None
    refused = args.strict and enrolment is not None and enrolment.rejected
    told: dict[str, Any] = {"list": record.id, "published": False}
    lines = ["nothing was published: photographs were refused, and --strict"]
    if not refused:
        with recorded(context, "publish", record.id) as act:
            facts = desk.issue(record, composer, now)
            act.facts |= desk.cited(record)
        told, lines = facts_json(record, facts) | {"published": True}, facts_lines(record, facts)
    skipped = gathered.skipped if gathered else ()
    write_run(folder, enrolment, composer.found, when=now)
    if context.json:
        print_json(told | {"skipped": skipped} | run_json(enrolment, composer.found))
    else:
        print("\n".join(lines))
    if gathered and gathered.over:
        say(f"left out: {gathered.over} entries whose time is over")
    if skipped:
        say(f"NOT looked at: {', '.join(skipped[:_SHOWN])}{_more(skipped)}; {LAYOUT}")
    for line in run_lines(enrolment, composer.found, folder):
        say(line)
    several = readers_of_several(desk.hub.devices, desk.lists.made())
    if several:
        say(several_line(several))
    if not refused:
        _say_end(args, desk)
        say_behind(desk.hub, context)
    return int(Exit.DATA if refused else Exit.OK)


def _say_end(args: argparse.Namespace, desk: Desk) -> None:
    policy = desk.publisher.policy
    given = args.valid_days is not None or args.list_not_after
    if not given and policy.max_list_age_s < _VALID_DAYS * _DAY_S:
        hours = policy.max_list_age_s / _HOUR_S
        say(f"the list ends after {hours:g} hours, the most that the policy {policy.name} allows")


def _more(some: Sequence[str]) -> str:
    return f" and {len(some) - _SHOWN} more" if len(some) > _SHOWN else ""


def _check(args: argparse.Namespace) -> None:
    if (args.photos or args.vectors) and (args.remove or args.remove_subject):
        raise UsageError(
            "publish: --photos and --vectors say what the whole list is; use --change or "
            "--change-vectors with --remove"
        )
    vectors = args.vectors or args.change_vectors
    if vectors and vectors.suffix == ".npy" and args.metadata is None:
        raise UsageError("publish: a .npy needs --metadata FILE.csv")
    if args.valid_days is not None and args.list_not_after:
        raise UsageError("publish: give --valid-days or --list-not-after, not both")


def _gathered(
    args: argparse.Namespace, desk: Desk, networks: Networks, now: float, progress: Progress
) -> Gathered | None:
    rules = Rules(desk.publisher.policy, now, may_be_over=bool(args.photos or args.vectors))
    photos, vectors = args.photos or args.change, args.vectors or args.change_vectors
    if photos:
        return from_photographs(
            photos,
            {name: value for name in GROUNDS if (value := getattr(args, name)) is not None},
            networks,
            desk.ledger,
            rules=rules,
            workers=processes(args.workers),
            progress=progress,
        )
    if vectors:
        return from_vectors(
            vectors,
            args.metadata,
            space=args.space or networks.embedder.space,
            embedder=args.embedder or networks.embedder.sha256,
            rules=rules,
            progress=lambda done, total: progress("checking entries", done, total),
        )
    return None


def _composer(
    args: argparse.Namespace,
    gathered: Gathered | None,
    networks: Networks,
    end: float,
    progress: Progress,
) -> Composer:
    return Composer(
        end,
        gathered,
        whole=bool(args.photos or args.vectors),
        entries=args.remove,
        subjects=args.remove_subject,
        compact=args.compact,
        rekey=args.rekey,
        least=_least(args, networks),
        progress=progress,
    )


def _end(args: argparse.Namespace, now: float, longest: float) -> float:
    """Of the list, wall seconds; `longest` is what the policy allows, seconds."""
    if args.list_not_after:
        try:
            return float(wall_time(args.list_not_after, end_of_day=True))
        except ValueError as error:
            raise UsageError(f"--list-not-after: {error}") from None
    if args.valid_days is None:
        return Wall(now + min(_VALID_DAYS * _DAY_S, longest))
    days = args.valid_days
    if not (math.isfinite(days) and days > 0):
        raise UsageError("--valid-days: a number of days more than 0")
    return Wall(now + days * _DAY_S)


def _least(args: argparse.Namespace, networks: Networks) -> float | None:
    if args.duplicates is None:
        return default_similarity(networks.curve) if args.photos or args.change else None
    if args.duplicates == "off":
        return None
    try:
        least = float(args.duplicates)
    except ValueError:
        least = math.nan
    if not 0 < least <= 1:
        raise UsageError("--duplicates: a similarity between 0 and 1, or off")
    return least
