"""`bodycam-hub authorise`: what permits matching, and what takes that back."""

from __future__ import annotations

import argparse
import hashlib
import re
from collections.abc import Iterable
from contextlib import closing
from typing import Any, Final, get_args

from agent.cli.common import print_json, say
from agent.errors import Exit, UsageError
from agent.hub import authorisations
from agent.hub.acts import recorded
from agent.hub.authorisations import Register
from agent.hub.broker_options import (
    add_broker_options,
)
from agent.hub.context import HubContext
from agent.hub.dispatch import tell_cameras
from agent.hub.hub import Hub, open_hub
from agent.hub.places import place_lines
from agent.hub.policies import in_force
from agent.hub.purge import Purged, purge
from agent.hub.served import say_behind
from agent.hub.station import station_of
from agent.messages import iso_utc
from agent.messages.authorisation import Authorisation, Revocation, Why
from agent.messages.policy import Kind
from agent.policy.grants import grant_of

_HOUR_S: Final = 3600.0
_LIFE_S: Final = 24 * _HOUR_S
_AREA: Final = re.compile(r"([^=]{1,64})=([-0-9.,;]+)")
_EXAMPLES = """examples:
  bodycam-hub authorise create --id MP-2031 --type missing-person --list missing --device CAM-7 \\
      --hours 8 --role superintendent --reference 2027/0117
  bodycam-hub authorise create --id EX-4 --type exigency --urgent --list wanted --all-devices \\
      --hours 8 --role duty-inspector --reference log/884 --mqtt-host broker.example
  bodycam-hub authorise create --id W-9 --type warrant --list wanted --device CAM-7 --hours 4 \\
      --role magistrate --reference 27-118 --area "market=51.482,-3.181;51.482,-3.176;51.479,-3.178"
  bodycam-hub authorise confirm EX-4
  bodycam-hub authorise revoke W-9 --reason quashed --mqtt-host broker.example
  bodycam-hub authorise list

Cameras take it with their next sync; with a broker named, at once. An urgent one ends 24 hours
after it was made unless it is confirmed, which matters where the policy allows more
(authorisations.max_hours). Revoking (also: rejecting) is for good: cameras stop and
delete what they have found under it and not yet sent, the hub deletes what it has but for legal
holds, and both logs show it. Who authorised it is an office and a reference, never a name. Exit
codes: 66 none of this id, 69 a camera could not be told (it hears of it with its next sync), 77 the
policy forbids it.
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "authorise", help="what permits matching, and what takes that back", epilog=_EXAMPLES
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="a new authorisation", epilog=_EXAMPLES)
    add = create.add_argument
    add("--id", required=True, metavar="ID", help="opaque: letters, digits, `_.-`")
    add("--type", required=True, choices=get_args(Kind))
    add(
        "--list",
        required=True,
        action="append",
        metavar="LIST",
        help="name or id; may be given again",
    )
    add("--device", action="append", default=[], metavar="DEVICE", help="may be given again")
    add("--all-devices", action="store_true", help="every camera of today")
    add("--area", action="append", default=[], metavar="NAME=LAT,LON;LAT,LON;…", help="a polygon")
    add("--in-hours", type=float, default=0.0, metavar="N", help="begins in (default: 0)")
    add("--hours", type=float, required=True, metavar="N", help="good for")
    add("--role", required=True, metavar="OFFICE", help="who authorised it, such as magistrate")
    add("--reference", required=True, metavar="REF", help="of the decision")
    add("--urgent", action="store_true", help="ends after 24 hours unless confirmed")
    add_broker_options(create)
    confirm = actions.add_parser("confirm", help="an urgent one", epilog=_EXAMPLES)
    revoke = actions.add_parser("revoke", help="for good; also: reject", epilog=_EXAMPLES)
    revoke.add_argument(
        "--reason",
        choices=get_args(Why),
        default="other",
        help="is published with it, hence a code (default: other)",
    )
    for one in (confirm, revoke):
        one.add_argument("id", metavar="ID")
        add_broker_options(one)
    actions.add_parser("list", help="what there is, one a line", epilog=_EXAMPLES)


def run(args: argparse.Namespace, context: HubContext) -> int:
    actions = {"create": _create, "confirm": _confirm, "revoke": _revoke, "list": _list}
    return actions[args.action](args, context)


def _create(args: argparse.Namespace, context: HubContext) -> int:
    now = context.clock.wall()
    if not (args.hours > 0 and args.in_hours >= 0):
        raise UsageError("authorise create: --hours must be more than 0, --in-hours at least 0")
    from agent.hub.desk import open_desk

    with open_desk(context) as desk:
        lists = [desk.lists.get(name).id for name in args.list]
        devices = args.device
        if args.all_devices:
            devices = [one.name for one in desk.hub.devices.every()]
        if not devices:
            raise UsageError("authorise create: for which cameras? --device or --all-devices")
        begin = now + args.in_hours * _HOUR_S
        scope = {
            "lists": lists,
            "devices": devices,
            "areas": [_area(one) for one in args.area],
            "not_before": iso_utc(begin),
            "not_after": iso_utc(begin + args.hours * _HOUR_S),
        }
        values = {
            "id": args.id,
            "type": args.type,
            "scope": scope,
            "authorised_by": {"role": args.role, "reference": args.reference},
            "urgent": args.urgent,
        }
        with recorded(context, "authorise", args.id) as act:
            made = authorisations.create(desk.hub, values, now=now)
            act.facts |= _cited(made)
        return _made(args, context, desk.hub, made)


def _cited(made: Authorisation | Revocation) -> dict[str, str | int]:
    """What the hub's log says of a document: its version, the hash of what is published."""
    version = {"version": made.version} if isinstance(made, Authorisation) else {}
    digest = hashlib.sha256(authorisations.published_bytes(made)).hexdigest()
    return {**version, "sha256": digest}


def _area(text: str) -> dict[str, Any]:
    found = _AREA.fullmatch(text)
    try:
        corners = (
            [tuple(map(float, one.split(","))) for one in found[2].split(";")] if found else []
        )
    except ValueError:
        corners = []
    if not found or not corners or any(len(one) != 2 for one in corners):  # noqa: PLR2004
        raise UsageError(f"--area {text}: write NAME=LAT,LON;LAT,LON;LAT,LON")
    return {"name": found[1], "polygon": tuple(corners)}


def _confirm(args: argparse.Namespace, context: HubContext) -> int:
    with closing(open_hub(context)) as hub:
        with recorded(context, "confirm", args.id) as act:
            made = authorisations.confirm(hub, args.id, now=context.clock.wall())
            act.facts |= _cited(made)
        return _made(args, context, hub, made)


def _made(args: argparse.Namespace, context: HubContext, hub: Hub, made: Authorisation) -> int:
    """Tell the cameras, and the person."""
    arguments = {"document": made.model_dump(mode="json")}
    told = tell_cameras(args, context, hub, arguments, made.scope.devices)
    if context.json:
        print_json(_row(made, "valid") | {"told": told})
    else:
        end = iso_utc(grant_of(made).ends or 0.0)
        print(f"{made.id}: {made.type}, until {end}, for {', '.join(made.scope.devices)}")
        for line in place_lines(grant_of(made).areas):
            say(line)
        say_behind(hub, context)
    return _code(told)


def _revoke(args: argparse.Namespace, context: HubContext) -> int:
    """Cameras first, for they are in the street; then what is here."""
    now = context.clock.wall()
    with closing(open_hub(context)) as hub:
        with recorded(context, "revoke-authorisation", args.id, say=say) as act:
            register = authorisations.register_of(hub)
            before = register.valid.get(args.id)
            made = authorisations.revocation(hub, register, args.id, args.reason, now=now)
            devices = before.scope.devices if before else [one.name for one in hub.devices.every()]
            arguments = {"revocation": made.model_dump(mode="json")}
            told = tell_cameras(args, context, hub, arguments, devices)
            authorisations.publish_end(hub, register, made, now=now)
            act.facts |= _cited(made)
            done = _purged(hub, context, args.id, now)
        if context.json:
            counts = {"events": done.events, "held": done.held}
            print_json({"id": args.id, "at": made.at, "told": told, **counts})
        else:
            print(f"{args.id}: revoked; {done.events} events deleted here, {done.held} held")
            say_behind(hub, context)
    return _code(told)


def _purged(hub: Hub, context: HubContext, name: str, now: float) -> Purged:
    with station_of(hub, context) as station:
        station.store.revoke(name, now=now)
        return purge(station.store, authorisation=name, now=now)


def _list(args: argparse.Namespace, context: HubContext) -> int:
    del args
    with closing(open_hub(context)) as hub:
        register, policy = authorisations.register_of(hub), in_force(hub)
    rows = list(authorisation_rows(register, context.clock.wall()))
    if context.json:
        print_json({"policy": policy.name, "authorisations": rows})
        return int(Exit.OK)
    for row in rows:
        print(authorisation_line(row))
    return int(Exit.OK)


def authorisation_line(row: dict[str, Any]) -> str:
    """One authorisation, or the end of one, for people."""
    begin = f"{row['id']:<20} {row['state']:<9}"
    if row["state"] == "revoked":
        return f"{begin} {row['at']}  {row['reason']}".rstrip()
    pending = row["urgent"] and not row["confirmed"] and row["state"] != "over"
    mark = "  URGENT, NOT CONFIRMED" if pending else ""
    return f"{begin} {row['type']}  until {row['ends']}  {', '.join(row['devices'])}{mark}"


def authorisation_rows(register: Register, now: float) -> Iterable[dict[str, Any]]:
    """What `list` says of each, and of each that is revoked."""
    for one in sorted(register.valid.values(), key=lambda one: one.id):
        grant = grant_of(one)
        over = grant.ends is not None and now >= grant.ends
        yield _row(one, "over" if over else "valid" if now >= grant.not_before else "to come")
    for end in sorted(register.revoked.values(), key=lambda end: end.authorisation):
        yield _end(end)


def _row(one: Authorisation, state: str) -> dict[str, Any]:
    grant = grant_of(one)
    return {
        "id": one.id,
        "state": state,
        "version": one.version,
        "type": one.type,
        "begins": one.scope.not_before,
        "ends": iso_utc(grant.ends or 0.0),
        "urgent": one.urgent,
        "confirmed": one.confirmed,
        "devices": list(one.scope.devices),
        "lists": list(one.scope.lists),
    }


def _end(end: Revocation) -> dict[str, Any]:
    return {"id": end.authorisation, "state": "revoked", "at": end.at, "reason": end.reason}


def _code(told: dict[str, bool] | None) -> int:
    return int(Exit.OK if all((told or {}).values()) else Exit.UNAVAILABLE)
