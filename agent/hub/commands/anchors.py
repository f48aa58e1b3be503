"""`bodycam-hub anchors`: what the hub knows of a camera's audit log."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from agent.cli.common import print_json
from agent.errors import Exit
from agent.hub.anchors import anchors_of, forks_in
from agent.hub.context import HubContext
from agent.hub.events_database import FILE, EventsDatabase
from agent.hub.hub import open_hub
from agent.messages.checkpoint import AnchorsFile

_EXAMPLES: Final = """examples:
  bodycam-hub anchors CAM-7
  bodycam-hub anchors CAM-7 --out CAM-7.anchors.json
  bodycam-agent audit verify --anchors CAM-7.anchors.json       # on the camera, or on a copy

Cameras sign where their audit log stands, and the hub keeps that. With the file it shows whether a
log's end was cut off, or its disk was put back to an older state. Exit codes: 64 no such camera;
65 the camera has two logs: its disk was restored or copied (the file is written all the same).
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "anchors", help="what the hub knows of a camera's audit log", epilog=_EXAMPLES
    )
    parser.add_argument("device", metavar="CAMERA")
    parser.add_argument("--out", metavar="FILE", type=Path, help="write the checkpoints there")


def run(args: argparse.Namespace, context: HubContext) -> int:
    with (
        closing(open_hub(context)) as hub,
        closing(EventsDatabase(context.state_dir / FILE)) as database,
    ):
        known = anchors_of(database, hub.agency, hub.devices.latest(args.device))
    if args.out:
        text = known.model_dump_json(indent=1) + "\n"
        context.disk.write(args.out, text.encode(), when=context.clock.wall(), mode=0o644)
    forks = forks_in(known)
    _tell(known, forks, args.out, context)
    return int(Exit.DATA if forks else Exit.OK)


def _tell(known: AnchorsFile, forks: list[str], out: Path | None, context: HubContext) -> None:
    last = known.anchors[-1] if known.anchors else None
    if context.json:
        return print_json(
            {
                "device": known.device,
                "key": known.key,
                "anchors": len(known.anchors),
                "last": None if last is None else last.data.model_dump() | {"time": last.time},
                "forks": forks,
                "out": None if out is None else str(out),
            }
        )
    print(f"{known.device}: {len(known.anchors)} checkpoints, key {known.key}")
    if last is not None:
        print(f"the last at {last.time}: record {last.data.last}, hash {last.data.hash}")
    for line in forks:
        print(f"TWO LOGS: {line}")
    return None
