"""`bodycam-hub keys`: which keys there are, and new ones for a role."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.adapters.sealing import key_id
from agent.cli.common import print_json, say
from agent.errors import DataError, Exit, UsageError
from agent.hub.acts import recorded
from agent.hub.context import HubContext
from agent.hub.hub import Hub, open_hub, root_digest
from agent.hub.keyring import ACKS, ALERTS, PLAIN, RELEASE, file_name
from agent.hub.passphrases import Passphrases
from agent.hub.relock import relock
from agent.hub.roles import OFFLINE, ROLES, RoleKeys, known_role
from agent.hub.rotation import Change, Rotated, rotate
from agent.hub.served import say_behind
from agent.hub.typed import grouped

_EXAMPLES = """examples:
  bodycam-hub keys list
  bodycam-hub keys rotate timestamp
  bodycam-hub keys rotate root --only 3fa2 --offline-dir /media/usb1 --offline-dir /media/usb2
  bodycam-hub keys rotate lists --lost
  bodycam-hub keys rotate alerts
  bodycam-hub keys rotate commands --key made-elsewhere.pem
  bodycam-hub keys passphrase /media/usb2/policy-3fa2c1d09b7e.pem   # needs no hub

Copy the public folder to its server right after a rotation, before the next publication.
"""

_HELD: Final = {ALERTS: "alert_public", ACKS: "ack_public"}
_KNOWN: Final = {ALERTS: "alert_key", ACKS: "ack_key"}


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "keys",
        help="list keys, give a role new ones, a key file another passphrase",
        epilog=_EXAMPLES,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="keys of every role, and where they are", epilog=_EXAMPLES)
    add_rotation(actions.add_parser("rotate", help="new keys for a role", epilog=_EXAMPLES))
    other = actions.add_parser("passphrase", help="another one for a key file", epilog=_EXAMPLES)
    other.add_argument("file", metavar="FILE", type=Path)
    other.add_argument(
        "--new-passphrase-file",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="the new one, one line (default: you are asked); --passphrase-file opens the file",
    )


def add_rotation(parser: argparse.ArgumentParser) -> None:
    """The arguments of a rotation."""
    add = parser.add_argument
    add("role", metavar="ROLE", help=f"{', '.join(ROLES)}; or {', '.join(PLAIN)}")
    add("--only", metavar="ID", action="append", default=[], help="replace this key alone")
    add("--keys", type=int, metavar="N", help="how many keys it has afterwards (default: as now)")
    add("--threshold", type=int, metavar="N", help="how many must sign (default: as now)")
    add(
        "--key",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="take this key, an encrypted PEM, instead of making one",
    )
    add("--lost", action="store_true", help="the old keys cannot sign any more")
    add(
        "--offline-passphrase-file",
        metavar="FILE",
        type=Path,
        help="passphrase of new offline keys (default: that of the keys they replace)",
    )


def run(args: argparse.Namespace, context: HubContext) -> int:
    actions = {"list": _list, "rotate": run_rotation, "passphrase": _passphrase}
    return actions[args.action](args, context)


def run_rotation(args: argparse.Namespace, context: HubContext) -> int:
    if args.role in PLAIN:
        return _rotate_plain(args, context)
    role = known_role(args.role)
    passphrases = Passphrases(
        context.passphrase_files, offline_file=args.offline_passphrase_file, ask=context.ask
    )
    with closing(open_hub(context, passphrases)) as hub:
        change = Change(
            role,
            tuple(args.only),
            _size(hub, role, args.keys, args.threshold),
            tuple(_given(hub, path) for path in args.key),
            args.lost,
        )
        before = hub.repository.folder.root_version()
        with recorded(context, "rotate", role) as act:
            done = rotate(hub.repository, change, context.clock.wall())
            act.facts["version"] = done.root
        _say_rotated(hub, context, role, done)
        if done.root != before:
            say_root(hub, context)
        _warn_shared(hub, role, done)
        say_behind(hub, context)
    return int(Exit.OK)


def say_root(hub: Hub, context: HubContext) -> None:
    """The fingerprint of the trust root has changed: what is typed on cameras from now on."""
    if not context.json:
        print("fingerprint of the trust root, for every device provisioned from now on:")
        for line in grouped(root_digest(hub)):
            print(f"  {line}")


def _warn_shared(hub: Hub, role: str, done: Rotated) -> None:
    """Offline keys are worth little under a passphrase that lies on the hub's machine."""
    keys = hub.repository.load().keys
    roles = ("timestamp",) if role in OFFLINE else sorted(OFFLINE)
    found = [hub.ring.locate(one, key.keyid) for one in roles for key in keys[one][0]]
    new = [path for keyid in done.added if (path := hub.ring.locate(role, keyid))]
    others = [path for path in found if path]
    if any(hub.ring.files.one_passphrase(one, other) for one in new for other in others):
        say(
            "note: offline keys have the passphrase of the others; better give them their own: "
            "rotate root, targets and policy with --offline-passphrase-file"
        )


def _rotate_plain(args: argparse.Namespace, context: HubContext) -> int:
    if args.only or args.key or args.lost or args.keys or args.threshold:
        raise UsageError(f"keys rotate {args.role}: takes no other option; there is one such key")
    with (
        closing(open_hub(context)) as hub,
        hub.repository.lock(),
        recorded(context, "rotate", args.role),
    ):
        rotate_one = _rotate_release if args.role == RELEASE else _rotate_event_key
        answer, *lines = rotate_one(hub, context, args.role)
    if context.json:
        print_json({"role": args.role, **answer})
        return int(Exit.OK)
    for line in lines:
        print(line)
    return int(Exit.OK)


def _rotate_release(hub: Hub, context: HubContext, role: str) -> tuple[Any, ...]:
    old = hub.ring.release_key(hub.release_public)
    likes = [hub.ring.plain_path(RELEASE, hub.release_public)]
    public = hub.ring.create_release(when=context.clock.wall(), likes=likes)
    count = hub.admission.change_release_key(old, public)
    retired = file_name(role, key_id(hub.release_public))
    return (
        {"added": [key_id(public)], "store_keys": count},
        f"release: 1 new, 1 retired; {count} store keys sealed anew; open tokens are void",
        f"destroy the old key file: {context.keys_dir / retired}",
    )


def _rotate_event_key(hub: Hub, context: HubContext, role: str) -> tuple[Any, ...]:
    """Devices learn of the new key when they are provisioned: until then the old one is needed."""
    create = {ALERTS: hub.ring.create_alerts, ACKS: hub.ring.create_acks}[role]
    retired = getattr(hub, _HELD[role])
    likes = _open_plain(hub, role, retired)
    public = create(when=context.clock.wall(), likes=likes)
    hub.database.set_setting(role, public.hex())
    older = [one.name for one in hub.devices.every() if getattr(one, _KNOWN[role]) != public]
    path = context.keys_dir / file_name(role, key_id(retired))
    mend = f"they know the old key until provisioned anew: {', '.join(older)}" if older else ""
    keep = "keep" if older else "destroy"
    lines = (f"{role}: 1 new, for devices provisioned from now on", mend, f"{keep} {path}")
    return ({"added": [key_id(public)], "older": older}, *(line for line in lines if line))


def _open_plain(hub: Hub, role: str, public: bytes) -> list[Path]:
    """The key that is replaced, opened; where it is lost, the one of the timestamp."""
    path = hub.ring.plain_path(role, public)
    if path.exists():
        hub.ring.files.load(path)
        return [path]
    return hub.ring.open_within_reach("timestamp", hub.repository.load().keys["timestamp"][0])


def key_rows(hub: Hub) -> dict[str, list[dict[str, Any]]]:
    """Every key of every role, with its file when that is within reach."""
    return {
        role: [
            {
                "id": key.keyid,
                "name": file_name(role, key.keyid),
                "file": str(found) if (found := hub.ring.locate(role, key.keyid)) else None,
            }
            for key in keys
        ]
        for role, (keys, _) in hub.repository.load().keys.items()
    }


def _passphrase(args: argparse.Namespace, context: HubContext) -> int:
    relock(context, args.file, args.new_passphrase_file)
    say(f"{args.file}: has the new passphrase; copies made before open with the old one")
    return int(Exit.OK)


def _list(args: argparse.Namespace, context: HubContext) -> int:
    del args
    with closing(open_hub(context)) as hub:
        rows, keys = key_rows(hub) | _plain_rows(hub), hub.repository.load().keys
    threshold = {role: needed for role, (_, needed) in keys.items()} | dict.fromkeys(PLAIN, 1)
    if context.json:
        print_json({use: {"threshold": threshold[use], "keys": rows[use]} for use in rows})
        return int(Exit.OK)
    for role in rows:
        print(
            f"{role}: {threshold[role]} of {len(rows[role])} must sign" if role in ROLES else role
        )
        for one in rows[role]:
            print(f"  {one['id'][:12]}  {one['file'] or 'not here: ' + one['name']}")
    return int(Exit.OK)


def _plain_rows(hub: Hub) -> dict[str, list[dict[str, Any]]]:
    """Keys that are no role of the repository: those of today, and older ones still needed."""
    publics = {
        RELEASE: {hub.release_public},
        ALERTS: {hub.alert_public, *(one.alert_key for one in hub.devices.every())},
        ACKS: {hub.ack_public, *(one.ack_key for one in hub.devices.every())},
    }
    return {
        use: [
            {
                "id": key_id(public),
                "name": (name := file_name(use, key_id(public))),
                "file": str(path) if (path := hub.ring.working / name).exists() else None,
            }
            for public in sorted(filter(None, publics[use]))
        ]
        for use in PLAIN
    }


def _size(hub: Hub, role: str, keys: int | None, threshold: int | None) -> RoleKeys | None:
    if keys is None and threshold is None:
        return None
    now, needed = hub.repository.load().keys[role]
    return RoleKeys(len(now) if keys is None else keys, needed if threshold is None else threshold)


def _given(hub: Hub, path: Path) -> Ed25519PrivateKey:
    key = hub.ring.files.load(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise DataError(f"{path}: expected an Ed25519 key")
    return key


def _say_rotated(hub: Hub, context: HubContext, role: str, done: Rotated) -> None:
    if context.json:
        return print_json(
            {
                "role": role,
                "added": done.added,
                "retired": done.retired,
                "root": done.root,
                "root_sha256": root_digest(hub),
            }
        )
    print(
        f"{role}: {len(done.added)} new, {len(done.retired)} retired; root is version {done.root}"
    )
    for keyid in done.retired:
        path = hub.ring.locate(role, keyid)
        if path:
            print(f"destroy the old key file: {path}")
        else:
            print(f"retired, and not here: {file_name(role, keyid)}; destroy every copy")
    return None
