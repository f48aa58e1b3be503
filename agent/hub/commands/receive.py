"""`bodycam-hub receive`: alerts from the broker, verified, opened, kept, acknowledged."""

from __future__ import annotations

import argparse
import random
import signal
import time
from typing import Any, Final

from agent.cli.common import say
from agent.delivery import Backoff
from agent.errors import Exit, UsageError
from agent.hub.broker_options import add_broker_options, clear_text_warning, hub_client, read_broker
from agent.hub.context import HubContext
from agent.hub.copies import older_line
from agent.hub.files import locked, private_folder
from agent.hub.link import Links
from agent.hub.opening import KINDS
from agent.hub.receive import Receiver
from agent.hub.screens import open_screen
from agent.hub.station import Station, open_station
from agent.hub.watching import DeviceWatch

_MINUTE_S: Final = 60.0
_LOCK_S: Final = 1.0
_EXAMPLES: Final = """examples:
  bodycam-hub receive --mqtt-host 127.0.0.1
  bodycam-hub receive --config agency.yaml --passphrase-file /run/credentials/online
  bodycam-hub receive --mqtt-host broker.example --mqtt-port 8883 --set mqtt.tls.enabled=true \\
      --set mqtt.tls.ca_file=ca.pem --set mqtt.tls.cert_file=hub.pem --set mqtt.tls.key_file=hub.key
  bodycam-hub receive --mqtt-host 127.0.0.1 --json >> alerts.jsonl
  bodycam-hub receive --mqtt-host 127.0.0.1 --once      # what waits at the broker, then end

Every event is on disk in the hub folder before it is acknowledged. At a terminal a table is shown,
else a line an event; --json prints the opened event. Every hour it deletes what is older than the
policy in force keeps alerts, unless it is held (`bodycam-hub purge`). Exit codes: 0 told to stop;
64 usage; 66 no hub here; 69 another receiver is at work, or (--once) no broker; 74 the disk failed;
77 a wrong passphrase; 78 the settings are wrong.
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "receive", help="receive, verify, open, keep and acknowledge alerts", epilog=_EXAMPLES
    )
    add_broker_options(parser)
    add = parser.add_argument
    add("--once", action="store_true", help="take in what waits at the broker, and end")
    add(
        "--silent-minutes",
        type=float,
        default=15.0,
        metavar="N",
        help="alarm for a camera that is online and silent for so long; 0: never (default: 15)",
    )
    add(
        "--window-minutes",
        type=float,
        default=10.0,
        metavar="N",
        help="show the same subject from two cameras together within this time (default: 10)",
    )


def run(args: argparse.Namespace, context: HubContext) -> int:
    for name in ("silent_minutes", "window_minutes"):
        if not 0 <= getattr(args, name) <= 7 * 24 * 60:
            raise UsageError(f"receive: --{name.replace('_', '-')} must be from 0 to a week")
    config = read_broker(args)
    warning = clear_text_warning(config)
    if warning:
        say(warning)
    with open_station(context) as station, open_screen(json_lines=context.json) as screen:
        if station.hub.database.older():  # said, and no reason to keep alerts waiting
            say(f"warning: {older_line(station.hub)}")
        station.ready()
        folder = context.state_dir / "receiver"
        private_folder(folder)
        settings = hub_client(config, station.hub.agency, "receive")
        topics = [f"{config.mqtt.prefix}/{station.hub.agency}/+/{one}" for one in KINDS]
        stopping = _on_signals()
        receiver = Receiver(
            links=Links(settings, topics, context.clock, found=context.memory_of(settings).note),
            inbox=station.inbox(config.mqtt.prefix),
            store=station.store,
            outcomes=station.outcomes(config.mqtt.prefix),
            watch=DeviceWatch(args.silent_minutes * _MINUTE_S),
            screen=screen,
            clock=context.clock,
            backoff=Backoff(1.0, 30.0),
            chance=random.random,
            sleep=time.sleep,
            stop=lambda: bool(stopping),
            window_s=args.window_minutes * _MINUTE_S,
            retain=lambda: station.retain(now=context.clock.wall()),
        )
        with locked(folder, wait_s=_LOCK_S):
            receiver.once() if args.once else receiver.run()
    say(_summary(receiver, station))
    return int(Exit.OK)


def _on_signals() -> list[int]:
    """Holds the number of the signal once one has come."""
    caught: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: caught.append(got))
    return caught


def _summary(receiver: Receiver, station: Station) -> str:
    counts = receiver.counts
    reasons = ", ".join(f"{count} {why.value}" for why, count in counts.by_reason.items())
    return (
        f"{station.hub.agency}: {counts.stored} new, {counts.again} again, "
        f"{counts.refused} refused{f' ({reasons})' if reasons else ''}"
    )
