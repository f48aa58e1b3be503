"""`bodycam-hub devices`: bring cameras in, strike them off, unlock their stores."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from agent.adapters.sealing import key_id
from agent.cli.common import print_json, say
from agent.errors import Exit, UsageError
from agent.hub.acts import recorded
from agent.hub.commands.device_tokens import register_token, token, tokens
from agent.hub.context import HubContext
from agent.hub.copies import accept_older, register_problem, require_newest
from agent.hub.devices import Device
from agent.hub.files import locked, private_folder
from agent.hub.hub import Hub, open_hub
from agent.hub.lists_database import FILE as LISTS
from agent.hub.lists_database import list_ids, list_names, live_lists
from agent.hub.typed import base64_of, checked, read_message, write_message
from agent.messages import iso_utc
from agent.messages.provisioning import (
    ProvisioningRequest,
    UnlockRelease,
    UnlockRequest,
)

_HOUR_S: Final = 3600.0
_READING: Final = ("list", "tokens", "show")
_EXAMPLES = """examples:
  bodycam-hub devices token CAM-7 --url https://lists.example.org --unlock hub --out CAM-7.json
  bodycam-hub devices add CAM-7.request.json
  bodycam-hub devices add CAM-8.request.json --list wanted
  bodycam-hub devices list --json
  bodycam-hub devices tokens                          # given out, not answered yet
  bodycam-hub devices show CAM-7
  bodycam-hub devices release CAM-7 --request CAM-7.unlock.json --out CAM-7.release.json
  bodycam-hub devices assign CAM-7 --list wanted      # it may read that list alone
  bodycam-hub devices assign CAM-7 --every-list
  bodycam-hub devices remove CAM-7

The token is good once. What a removed device has is not deleted by removing it: publish the lists
that are named, and it cannot read what comes after.
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "devices", help="bring cameras in, strike them off, unlock stores", epilog=_EXAMPLES
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    register_token(actions.add_parser("token", help="what a new device is given", epilog=_EXAMPLES))
    add = actions.add_parser("add", help="register a device by its answer", epilog=_EXAMPLES)
    add.add_argument("request", metavar="REQUEST", type=Path, help="the file the device wrote")
    add.add_argument(
        "--list",
        metavar="LIST",
        dest="lists",
        action="append",
        default=[],
        help="name or id of the only list it may read; may be given again (default: every list)",
    )
    assign = actions.add_parser("assign", help="which lists it may read", epilog=_EXAMPLES)
    assign.add_argument("device", metavar="DEVICE")
    which = assign.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--list",
        metavar="LIST",
        dest="lists",
        action="append",
        default=[],
        help="name or id of the only list it may read; may be given again",
    )
    which.add_argument("--every-list", action="store_true", help="also those that are made later")
    actions.add_parser("list", help="every device, one a line", epilog=_EXAMPLES)
    actions.add_parser("tokens", help="tokens that were not answered yet", epilog=_EXAMPLES)
    for name, summary in (("show", "one device"), ("remove", "strike a device off")):
        actions.add_parser(name, help=summary, epilog=_EXAMPLES).add_argument(
            "device", metavar="DEVICE"
        )
    actions.add_parser(
        "accept-older",
        help="go on with an older copy of hub.sqlite",
        description="To be run after no newer copy of hub.sqlite was found. The register is as it "
        "was then: strike off\nagain who was removed since.",
        epilog=_EXAMPLES,
    )
    release = actions.add_parser("release", help="unlock a device's store", epilog=_EXAMPLES)
    release.add_argument("device", metavar="DEVICE")
    release.add_argument("--request", metavar="FILE", type=Path, required=True)
    release.add_argument("--out", metavar="FILE", type=Path, required=True)


def run(args: argparse.Namespace, context: HubContext) -> int:
    actions = {
        "token": token,
        "add": _add,
        "assign": _assign,
        "list": _list,
        "tokens": tokens,
        "show": _show,
        "remove": _remove,
        "release": _release,
        "accept-older": _accept_older,
    }
    with closing(open_hub(context)) as hub:
        if args.action not in (*_READING, "accept-older"):
            require_newest(hub)
        elif problem := register_problem(hub):
            say(f"warning: {problem}")
        actions[args.action](args, context, hub)
    return int(Exit.OK)


def _add(args: argparse.Namespace, context: HubContext, hub: Hub) -> None:
    request = read_message(args.request, ProvisioningRequest)
    before = hub.devices.find(request.device)
    if before is not None and before.key_id == key_id(request.seal_key):
        say(f"{before.name}: is registered already, with this very key; nothing was changed")
        return print_json({"device": _row(hub, before), "publish": []}) if context.json else None
    release_key = hub.ring.release_key(hub.release_public)
    lists = list_ids(context.state_dir / LISTS, args.lists)
    with recorded(context, "add-device", request.device) as act:
        device = hub.admission.add(request, release_key, lists=lists, now=context.clock.wall())
        act.facts["sha256"] = hashlib.sha256(device.sign_key).hexdigest()
    waiting = list(hub.devices.waiting(live_lists(context.state_dir / LISTS)))
    known = list_names(context.state_dir / LISTS)
    for one in lists:
        if one not in known:
            say(f"warning: no list {one!r} on this hub; there are: {_all_names(known)}")
    if context.json:
        return print_json({"device": _row(hub, device), "publish": waiting})
    print(f"{device.name}: registered, key {device.key_id}")
    if waiting:
        names = _named(list_names(context.state_dir / LISTS), waiting)
        print(f"it can read lists once they are published again: {names}")
    return None


def _assign(args: argparse.Namespace, context: HubContext, hub: Hub) -> None:
    names = list_names(context.state_dir / LISTS)
    lists = list_ids(context.state_dir / LISTS, args.lists)
    for typed, one in zip(args.lists, lists, strict=True):
        if one not in names:
            raise UsageError(
                f"devices assign: no list {typed!r} on this hub; there are: {_all_names(names)}"
            )
    with recorded(context, "assign-device", args.device), _no_publication(context):
        lost = hub.devices.assign(args.device, lists, now=context.clock.wall())
    waiting = list(hub.devices.waiting(live_lists(context.state_dir / LISTS)))
    if context.json:
        return print_json({"device": _row(hub, hub.devices.get(args.device)), "publish": waiting})
    print(f"{args.device}: may read {', '.join(names[one] for one in lists) or 'every list'}")
    if lost:
        say(f"it can still read what it has; publish under new keys: {_named(names, lost)}")
    if set(waiting) - set(lost):
        say(f"publish again, so that it can read: {_named(names, set(waiting) - set(lost))}")
    return None


@contextmanager
def _no_publication(context: HubContext) -> Iterator[None]:
    """Nobody is given a key of a list by a publication that began before."""
    folder = context.state_dir / "lists"
    private_folder(folder)
    with locked(folder):
        yield


def _all_names(names: Mapping[str, str]) -> str:
    return ", ".join(names.values()) or "none yet"


def _named(names: Mapping[str, str], lists: Iterable[str]) -> str:
    return ", ".join(names.get(one, one) for one in sorted(lists))


def _list(args: argparse.Namespace, context: HubContext, hub: Hub) -> None:
    del args
    rows = [_row(hub, device) for device in hub.devices.every()]
    if context.json:
        return print_json(rows)
    names = list_names(context.state_dir / LISTS)
    line = "{name:<20} {key_id:<34} {unlock:<9} {added:<25} {lists}"
    heads = ("name", "key_id", "unlock", "added", "lists")
    print(line.format(**{name: name for name in heads}))
    for row in rows:
        shown = ",".join(names.get(one, one) for one in row["lists"]) or "all"
        print(line.format(**{**row, "lists": shown}))
    for one in hub.devices.tokens():
        over = "over since" if one.not_after <= context.clock.wall() else "good until"
        say(f"{one.device}: not registered yet; its token is {over} {iso_utc(one.not_after)}")
    return None


def _show(args: argparse.Namespace, context: HubContext, hub: Hub) -> None:
    row = _row(hub, hub.devices.get(args.device))
    if context.json:
        return print_json(row)
    for name, value in row.items():
        shown = (", ".join(value) or "all") if isinstance(value, tuple) else value
        print(f"{name:>14}  {'-' if shown is None else shown}")
    return None


def _remove(args: argparse.Namespace, context: HubContext, hub: Hub) -> None:
    removed = recorded(context, "remove-device", args.device, say=say)
    with removed, _no_publication(context):
        lists = hub.devices.remove(args.device, now=context.clock.wall())
    if context.json:
        return print_json({"removed": args.device, "publish": lists})
    print(f"{args.device}: removed")
    if lists:
        names = _named(list_names(context.state_dir / LISTS), lists)
        say(f"it can still read what it has; publish under new keys: {names}")
    return None


def _accept_older(args: argparse.Namespace, context: HubContext, hub: Hub) -> None:
    del args
    if not register_problem(hub):
        raise UsageError("devices accept-older: hub.sqlite is no older copy")
    with recorded(context, "accept-older", "devices"):
        accept_older(hub, now=context.clock.wall())
    names = [one.name for one in hub.devices.every()]
    if context.json:
        return print_json({"devices": names})
    print(f"the register is taken as it is: {', '.join(names) or 'no camera'}")
    say("now strike off again who was removed since: bodycam-hub devices remove DEVICE")
    return None


def _release(args: argparse.Namespace, context: HubContext, hub: Hub) -> None:
    now = context.clock.wall()
    request = read_message(args.request, UnlockRequest)
    if request.device != args.device:
        raise UsageError(f"{args.request}: is from {request.device}, not from {args.device}")
    release_key = hub.ring.release_key(hub.release_public)
    with recorded(context, "release-device", args.device):
        sealed = hub.admission.release(request, release_key, now=now)
    values: dict[str, object] = {
        "agency": hub.agency,
        "device": args.device,
        "sealed": base64_of(sealed),
    }
    write_message(args.out, checked(UnlockRelease, values), when=now)
    if context.json:
        return print_json({"device": args.device, "file": str(args.out)})
    print(f"{args.device}: wrote {args.out}")
    return None


def _row(hub: Hub, device: Device) -> dict[str, Any]:
    return {
        "name": device.name,
        "key_id": device.key_id,
        "seal_key": device.seal_key.hex(),
        "sign_key": device.sign_key.hex(),
        "unlock": device.unlock,
        "every_list": not hub.devices.lists_of(device),
        "lists": hub.devices.lists_of(device),
        "added": iso_utc(device.added_at),
        "released": None if device.released_at is None else iso_utc(device.released_at),
        "releases": device.releases,
    }
