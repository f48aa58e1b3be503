"""`bodycam-agent print-config`: what is in force, defaults included."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from agent.app import Context
from agent.cli.common import print_json
from agent.config import dump
from agent.errors import Exit


def register(subparsers: Any) -> None:
    subparsers.add_parser(
        "print-config",
        help="the effective configuration",
        description="Prints the effective configuration, defaults included, as YAML that "
        "--config takes back.",
        epilog="examples:\n  bodycam-agent print-config > config.yaml\n"
        "  bodycam-agent print-config --set camera.source=camera:0 --json\n",
    )


def run(args: argparse.Namespace, context: Context) -> int:
    del args
    if context.json:
        print_json(context.config.model_dump(mode="json"))
    else:
        sys.stdout.write(dump(context.config))
    return int(Exit.OK)
