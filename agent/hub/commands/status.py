"""`bodycam-hub status`: what state the hub is in."""

from __future__ import annotations

import argparse
from typing import Any

from agent.errors import Exit
from agent.hub.context import HubContext

_EXAMPLES = """examples:
  bodycam-hub status
  bodycam-hub status --json
"""


def register(subparsers: Any) -> None:
    subparsers.add_parser("status", help="roles, expiry, devices and lists", epilog=_EXAMPLES)


def run(args: argparse.Namespace, context: HubContext) -> int:
    del args
    context.require_hub()
    return int(Exit.OK)
