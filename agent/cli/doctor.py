"""`bodycam-agent doctor`: what is wrong with this device, and its mend."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any, Final

from agent.app import Context
from agent.cli.common import print_json
from agent.errors import Exit

_EXAMPLES: Final = """examples:
  bodycam-agent doctor
  sudo -u bodycam bodycam-agent doctor --config /etc/bodycam-agent/config.yaml \\
      --state-dir /var/lib/bodycam-agent
  bodycam-agent doctor --json

Looks and changes nothing. WARN works, but is not as it should be. Exit code: 0 without a FAIL, else
that of the first one (65 data, 66 a missing file, 70 a bug, 74 disk, 77 refused, 78 configuration).
"""


def register(subparsers: Any) -> None:
    subparsers.add_parser(
        "doctor",
        help="what is wrong with this device, and its mend",
        description="Configuration, state folder, disk, models, list, broker, clock, audit log, "
        "monitor of false alerts, hardware, core dumps, memory, swap, service, agent.",
        epilog=_EXAMPLES,
    )


def run(args: argparse.Namespace, context: Context) -> int:
    from agent.app.doctor import examine

    del args
    findings = list(examine(context))
    if context.json:
        print_json([asdict(one) | {"code": int(one.code)} for one in findings])
    else:
        for one in findings:
            mend = f" -> {one.mend}" if one.mend else ""
            print(f"{one.level:<4}  {one.check:<13}  {one.says}{mend}")
    codes = [one.code for one in findings if one.level == "FAIL"]
    return int(codes[0] if codes else Exit.OK)
