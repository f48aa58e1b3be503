"""`bodycam-hub rotate`: the same as `keys rotate`."""

from __future__ import annotations

from typing import Any

from agent.hub.commands.keys import add_rotation, run_rotation

_EXAMPLES = """examples:
  bodycam-hub rotate timestamp
  bodycam-hub rotate root --offline-dir /media/usb
"""

run = run_rotation


def register(subparsers: Any) -> None:
    add_rotation(subparsers.add_parser("rotate", help="new keys for a role", epilog=_EXAMPLES))
