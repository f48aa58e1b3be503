"""`bodycam-hub refresh`: new signatures before the old ones expire. For a timer."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from contextlib import closing
from typing import Any

from agent.cli.common import print_json
from agent.errors import Exit
from agent.hub.context import HubContext
from agent.hub.hub import Hub, open_hub, root_digest, save_periods
from agent.hub.repository import Published
from agent.hub.roles import known_role
from agent.hub.served import say_behind
from agent.hub.typed import days_left, grouped
from agent.messages import iso_utc

_EXAMPLES = """examples:
  bodycam-hub refresh --passphrase-file /run/credentials/online   # timestamp, snapshot: hourly
  bodycam-hub refresh lists
  bodycam-hub refresh root targets policy --offline-dir /media/usb
  bodycam-hub refresh lists --expires lists=14   # from now on
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "refresh",
        help="sign again before signatures expire",
        description="Snapshot and timestamp always, and the roles named.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("roles", metavar="ROLE", nargs="*", default=[])
    parser.add_argument(
        "--expires",
        metavar="ROLE=DAYS",
        action="append",
        default=[],
        help="how long its signatures are good for from now on",
    )


def run(args: argparse.Namespace, context: HubContext) -> int:
    roles = {known_role(role) for role in args.roles} - {"snapshot", "timestamp"}
    now = context.clock.wall()
    with closing(open_hub(context)) as hub:
        save_periods(hub, hub.repository.periods.changed(args.expires))
        if "root" in roles:
            hub.repository.refresh_root(now)
        done = hub.repository.refresh(roles - {"root"}, now)
        _show(hub, context, roles, done)
        say_behind(hub, context)
    return int(Exit.OK)


def _show(hub: Hub, context: HubContext, roles: Collection[str], done: Published) -> None:
    digest = root_digest(hub)
    if context.json:
        print_json(
            {"versions": done.versions, "expires": _iso(done.expires), "root_sha256": digest}
        )
        return
    for role in sorted({*roles, "snapshot", "timestamp"}):
        left = days_left(done.expires[role], context.clock.wall())
        print(f"{role}: version {done.versions[role]}, good for {left} days")
    if "root" in roles:
        print("fingerprint of the trust root, for every device provisioned from now on:")
        print("\n".join(f"  {line}" for line in grouped(digest)))


def _iso(expires: Any) -> dict[str, str]:
    return {role: iso_utc(wall) for role, wall in expires.items()}
