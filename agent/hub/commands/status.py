"""`bodycam-hub status`: what expires when, who is in, and whether devices would take it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agent.cli.common import print_json
from agent.errors import BodycamError, DataError, Exit
from agent.hub.anchors import forked
from agent.hub.authorisations import register_of
from agent.hub.commands.authorise import authorisation_line, authorisation_rows
from agent.hub.commands.keys import key_rows
from agent.hub.context import HubContext
from agent.hub.copies import lists_problem, register_problem
from agent.hub.events_database import FILE as EVENTS
from agent.hub.events_database import EventsDatabase
from agent.hub.hub import Hub, open_hub, root_digest
from agent.hub.list_values import ListRecord
from agent.hub.lists_database import FILE as LISTS
from agent.hub.lists_database import list_names, live_lists
from agent.hub.policies import published as published_policy
from agent.hub.readers import readers_of_several, several_line
from agent.hub.roles import ROLES
from agent.hub.typed import days_left, grouped
from agent.hub.verify import problem_of
from agent.messages import iso_utc
from agent.messages.bundle import EnvelopeFile

_SOON = 0.2
"""Of the time that a signature is good for."""
_EXAMPLES = """examples:
  bodycam-hub status
  bodycam-hub status --json

Exit code 65 when a device would refuse what the public folder holds, when a file of the hub is
missing or older than it, or when a camera has two audit logs (`bodycam-hub anchors CAMERA`).
"""


def register(subparsers: Any) -> None:
    subparsers.add_parser(
        "status", help="roles, expiry, policy, devices and lists", epilog=_EXAMPLES
    )


def run(args: argparse.Namespace, context: HubContext) -> int:
    del args
    with closing(open_hub(context)) as hub:
        answer = describe(hub, context.clock.wall(), context.state_dir / LISTS)
        answer["forked"] = _forked(hub, context.state_dir / EVENTS)
    if context.json:
        print_json(answer)
    else:
        _show(answer)
    return int(Exit.DATA if answer["problem"] or answer["forked"] else Exit.OK)


def describe(hub: Hub, now: float, store: Path) -> dict[str, Any]:
    """Everything `status` says.

    Args:
        hub: open.
        now: wall seconds, for the days left; whether signatures verify is judged by the system's
            clock, as on a device.
        store: `lists.sqlite`.
    """
    problem = problem_of(hub.repository.folder)
    try:
        published: dict[str, Any] = {
            "root": _root(hub),
            "roles": _roles(hub, now),
            "policy": _policy(hub, now),
            "authorisations": list(authorisation_rows(register_of(hub), now)),
            "lists": _lists(hub, list_names(store)),
        }
        problem = problem or register_problem(hub) or lists_problem(store, hub.repository)
    except BodycamError as error:
        problem = problem or str(error)
        published = {
            "root": None,
            "roles": {},
            "policy": None,
            "authorisations": [],
            "lists": [],
        }
    devices, waiting = hub.devices.every(), hub.devices.waiting(live_lists(store))
    return {
        "agency": hub.agency,
        **published,
        "devices": [{"name": one.name, "unlock": one.unlock} for one in devices],
        "several_lists": _several(hub, published["lists"]),
        "publish": {name: list(why) for name, why in waiting.items()},
        "problem": problem,
    }


def _root(hub: Hub) -> dict[str, Any]:
    return {"version": hub.repository.folder.root_version(), "sha256": root_digest(hub)}


def _roles(hub: Hub, now: float) -> dict[str, Any]:
    state, rows = hub.repository.load(), key_rows(hub)
    found = {}
    for role in ROLES:
        signed = state.of(role).signed
        end = signed.expires.timestamp()
        left = days_left(end, now)
        found[role] = {
            "version": signed.version,
            "expires": iso_utc(end),
            "days_left": left,
            "soon": left < _SOON * hub.repository.periods.days[role],
            "threshold": state.keys[role][1],
            "keys": rows[role],
        }
    return found


def _policy(hub: Hub, now: float) -> dict[str, Any] | None:
    """None before the first: then cameras hold field tests only."""
    found = published_policy(hub)
    if found is None:
        return None
    policy = found[0]
    end = policy.not_after or 0.0
    return {
        "name": policy.name,
        "version": policy.version,
        "sha256": policy.digest,
        "not_after": iso_utc(end),
        "days_left": days_left(end, now),
    }


def _forked(hub: Hub, events: Path) -> list[str]:
    if not events.exists():
        return []
    with closing(EventsDatabase(events)) as database:
        return forked(database, hub.agency, hub.devices.every())


def _lists(hub: Hub, names: Mapping[str, str]) -> list[dict[str, Any]]:
    found = []
    for path in sorted(hub.repository.targets("lists")):
        if path.endswith(".envelopes"):
            envelopes = _envelopes(hub, path)
            found.append(
                {
                    "list": envelopes.list,
                    "name": names.get(envelopes.list),
                    "version": envelopes.version,
                    "devices": len(envelopes.envelopes),
                }
            )
    return found


def _several(hub: Hub, lists: list[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Cameras that may read more than one."""
    records = [ListRecord(one["list"], one["name"] or one["list"], 0.0) for one in lists]
    return readers_of_several(hub.devices, records)


def _envelopes(hub: Hub, path: str) -> EnvelopeFile:
    try:
        return EnvelopeFile.model_validate_json(hub.repository.read_target(path))
    except ValidationError:
        raise DataError(f"{path}: not an envelope file; publish the list again") from None


def _show(answer: dict[str, Any]) -> None:
    print(f"hub of {answer['agency']}")
    if answer["root"]:
        print(f"trust root, version {answer['root']['version']}:")
        for line in grouped(answer["root"]["sha256"]):
            print(f"  {line}")
    for role, one in answer["roles"].items():
        here = sum(key["file"] is not None for key in one["keys"])
        print(
            f"  {role:<15} version {one['version']:<4} {_left(one):<20} "
            f"{one['threshold']} of {len(one['keys'])} sign, {here} here"
        )
    print(_policy_line(answer["policy"]))
    for row in answer["authorisations"]:
        if row["state"] in ("valid", "to come"):
            print(f"authorisation {authorisation_line(row)}")
    print(f"{len(answer['devices'])} devices")
    for name in answer["forked"]:
        print(f"TWO LOGS: {name}, see `bodycam-hub anchors {name}`")
    for one in answer["lists"]:
        name = f"{one['name']} ({one['list']})" if one["name"] else one["list"]
        print(f"list {name} version {one['version']}, for {one['devices']} devices")
    names = {one["list"]: one["name"] for one in answer["lists"]}
    for one, reasons in answer["publish"].items():
        print(f"publish {names.get(one) or one}: {'; '.join(reasons)}")
    if answer["several_lists"]:
        print(several_line(answer["several_lists"]))
    print(answer["problem"] or "the public folder verifies")


def _policy_line(policy: dict[str, Any] | None) -> str:
    if policy is None:
        return "no policy is published: cameras hold field tests only"
    left = "OVER" if policy["days_left"] <= 0 else f"{policy['days_left']} days left"
    return (
        f"policy {policy['name']} version {policy['version']} until {policy['not_after']}, {left}"
    )


def _left(one: dict[str, Any]) -> str:
    if one["days_left"] <= 0:
        return "EXPIRED"
    return f"{one['days_left']} days left{' SOON' if one['soon'] else ''}"
