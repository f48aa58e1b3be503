"""`bodycam-sim link`: a bad network between the agent and its broker or file server."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from firmware_sim.errors import Exit, SimError
from firmware_sim.flags import address, parsed
from firmware_sim.link import Link, Weather
from firmware_sim.link_events import LinkEvent, forms, parse

_EXAMPLES = """examples:
  bodycam-sim link --to localhost:1883 --port 1884 --latency 0.15 --rate 250000
      then: bodycam-agent run … --set mqtt.host=localhost --set mqtt.port=1884
  bodycam-sim link --to localhost:1883 --at 20:cut=30 --at 60:half-open --at 90:portal=1

exit codes: 0 stopped, 64 usage, 69 the port cannot be taken
"""
_TURN_S = 0.05


def add_link(commands: Any) -> None:
    """Register the command."""
    link = commands.add_parser(
        "link",
        help="a bad network between the agent and a server",
        description="Listens on the loopback and passes everything on to a server: later, slower, "
        "in bursts, or not at all. Until it is stopped.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    link.set_defaults(do=_link)
    add = link.add_argument
    add("--to", type=address, required=True, metavar="HOST:PORT", help="the server")
    add("--port", type=int, default=0, help="listen here, 0: a free one (default 0)")
    add("--latency", type=_figure, default=0.0, metavar="SECONDS", help="of each direction")
    add("--jitter", type=_figure, default=0.0, metavar="SECONDS", help="up to so much more")
    add(
        "--rate",
        type=_figure,
        default=0.0,
        metavar="BYTES/S",
        help="of each direction, 0: no bound",
    )
    add("--seed", type=int, default=0, help="of the jitter")
    add(
        "--at",
        type=parsed(parse),
        action="append",
        default=[],
        metavar="SECONDS:WHAT",
        help="what happens when, seconds from the start; may be given again: " + forms(),
    )
    add("--json", action="store_true", help='print {"port": ...} on stdout when ready')


def _link(arguments: argparse.Namespace) -> int:
    try:
        link = Link(arguments.to, port=arguments.port, seed=arguments.seed)
    except (OSError, OverflowError) as error:
        raise SimError(f"port {arguments.port}: {error}", Exit.UNAVAILABLE) from None
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    link.weather = Weather(arguments.latency, arguments.jitter, arguments.rate)
    if arguments.json:
        print(json.dumps({"port": link.port}), flush=True)
    else:
        print(f"bodycam-sim: link at port {link.port}", file=sys.stderr, flush=True)
    play(link, arguments.at, stop)
    link.close()
    return int(Exit.OK)


def play(link: Link, events: Sequence[LinkEvent], stop: threading.Event) -> None:
    """What shall happen happens, until `stop`."""
    began, left = time.monotonic(), sorted(events, key=lambda event: event.at_s)
    while not stop.wait(_TURN_S):
        while left and left[0].at_s <= time.monotonic() - began:
            left.pop(0).happen(link)


def _figure(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1e9:  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{text} is not a number of 0 or more, without a unit")
    return value
