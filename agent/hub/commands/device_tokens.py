"""Tokens: what a new camera is given, and which were not answered yet."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Final

from agent.cli.common import print_json
from agent.errors import UsageError
from agent.hub.acts import recorded
from agent.hub.context import HubContext
from agent.hub.files import require_folder
from agent.hub.hub import Hub
from agent.hub.typed import base64_of, checked, grouped, write_message
from agent.messages import iso_utc
from agent.messages.provisioning import ProvisioningFile

_HOUR_S: Final = 3600.0


def register_token(parser: argparse.ArgumentParser) -> None:
    """The arguments of `devices token`."""
    add = parser.add_argument
    add("device", metavar="DEVICE", help="its id: letters, digits, `.`, `-`, `_`")
    add("--url", help="where the public folder is served (default: as `init` was told)")
    add(
        "--unlock",
        choices=("device", "operator", "hub"),
        default="operator",
        help="what opens its store at the start of a shift (default: operator, a passphrase)",
    )
    add("--hours", type=float, default=24.0, metavar="N", help="token is good for (default: 24)")
    add("--out", metavar="FILE", type=Path, required=True, help="the provisioning file")


def token(args: argparse.Namespace, context: HubContext, hub: Hub) -> None:
    """Give one out, in a provisioning file."""
    url = args.url or hub.url
    if not url:
        raise UsageError("devices token: say where the public folder is served, with --url")
    if not 0 < args.hours <= 24 * 30:
        raise UsageError("devices token: --hours must be more than 0 and at most 720")
    require_folder(args.out)
    now = context.clock.wall()
    folder = hub.repository.folder
    root = folder.root_bytes(folder.load().root.signed.version)
    values: dict[str, object] = {
        "agency": hub.agency,
        "device": args.device,
        "url": url,
        "root": base64_of(root),
        "release_key": base64_of(hub.release_public),
        "alert_key": base64_of(hub.alert_public),
        "ack_key": base64_of(hub.ack_public),
        "token": base64_of(bytes(32)),
        "token_not_after": now + args.hours * _HOUR_S,
        "unlock": args.unlock,
    }
    checked(ProvisioningFile, values)
    with recorded(context, "token", args.device):
        secret = hub.admission.issue_token(
            args.device,
            args.unlock,
            not_after=now + args.hours * _HOUR_S,
            randomness=context.randomness,
            event_keys=(hub.alert_public, hub.ack_public),
        )
        message = checked(ProvisioningFile, values | {"token": base64_of(secret)})
        write_message(args.out, message, when=now)
    _say_token(args, context, hashlib.sha256(root).hexdigest(), message.token_not_after)


def _say_token(args: argparse.Namespace, context: HubContext, digest: str, end: float) -> None:
    if context.json:
        return print_json(
            {
                "device": args.device,
                "file": str(args.out),
                "root_sha256": digest,
                "token_not_after": iso_utc(end),
            }
        )
    print(f"{args.device}: wrote {args.out}; the token is good once, until {iso_utc(end)}")
    print("fingerprint of the trust root, to be typed on the device, not read from the file:")
    for line in grouped(digest):
        print(f"  {line}")
    return None


def tokens(args: argparse.Namespace, context: HubContext, hub: Hub) -> None:
    """Those that were not answered yet."""
    del args
    rows = [
        {"device": one.device, "unlock": one.unlock, "token_not_after": iso_utc(one.not_after)}
        for one in hub.devices.tokens()
    ]
    if context.json:
        return print_json(rows)
    for row in rows:
        print(f"{row['device']:<20} {row['unlock']:<9} until {row['token_not_after']}")
    return None
