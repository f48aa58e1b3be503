"""`bodycam-sim fleet`: the command line."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from firmware_sim.errors import Exit, SimError
from firmware_sim.flags import address
from firmware_sim.fleet import FleetOptions, run_fleet

_EXAMPLES = """examples:
  bodycam-sim fleet --devices 300
      on a mosquitto of its own, one alert in 10 s for each device, for a minute
  bodycam-sim fleet --devices 50 --broker broker.example.org:1883 --every 2 --json
  bodycam-sim fleet --devices 100 --evidence 30000 --out build/fleet.json

exit codes: 0 every alert arrived, 64 usage, 69 no broker or a device that cannot connect,
74 the report cannot be written, 75 alerts are missing
"""
_PENDING = 75


def add_fleet(commands: Any) -> None:
    """Register the command."""
    fleet = commands.add_parser(
        "fleet",
        help="load a broker with many devices",
        description="Load a broker with many light devices: real outboxes, sealing and delivery, "
        "alerts about nobody. An independent subscriber accounts for every alert.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    fleet.set_defaults(do=_fleet)
    default, add = FleetOptions(), fleet.add_argument
    add(
        "--devices",
        type=_whole(1, 20_000),
        default=default.devices,
        metavar="N",
        help="default 300",
    )
    add("--broker", type=address, metavar="HOST:PORT", help="default: a mosquitto of its own")
    add("--seconds", type=_above_zero, default=default.seconds, help="raise alerts for so long")
    add(
        "--every",
        type=_above_zero,
        default=default.every_s,
        metavar="SECONDS",
        help="mean pause between two alerts of a device (default 10)",
    )
    add(
        "--health",
        type=float,
        default=default.health_s,
        metavar="SECONDS",
        help="between two health messages of a device, 0: none (default 60)",
    )
    add(
        "--evidence",
        type=_whole(0, 40_000),
        default=default.evidence,
        metavar="BYTES",
        help="of a picture in each alert (default none)",
    )
    add("--ramp", type=float, default=default.ramp_s, help="devices start over so many seconds")
    add("--drain", type=float, default=default.drain_s, help="wait so long for the last alerts, s")
    add("--seed", type=int, default=default.seed, help="of the pauses")
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of the devices' configuration, as the agent's --set",
    )
    add("--out", type=Path, metavar="FILE", help="write the report there too, as JSON")
    add("--json", action="store_true", help="the report as JSON on stdout")


def _fleet(arguments: argparse.Namespace) -> int:
    options = FleetOptions(
        devices=arguments.devices,
        broker=arguments.broker,
        seconds=arguments.seconds,
        every_s=arguments.every,
        health_s=arguments.health,
        evidence=arguments.evidence,
        ramp_s=arguments.ramp,
        drain_s=arguments.drain,
        seed=arguments.seed,
        settings=tuple(arguments.set),
    )
    report = run_fleet(options, lambda line: print(f"bodycam-sim: {line}", file=sys.stderr))
    if arguments.out is not None:
        _write(arguments.out, report)
    print(json.dumps(report) if arguments.json else "\n".join(table(report)))
    alerts = report["alerts"]
    return _PENDING if alerts["lost"] or alerts["left"] else int(Exit.OK)


def table(report: dict[str, Any]) -> list[str]:
    """The report for people, one fact a line."""
    alerts, rates, broker = report["alerts"], report["rates"], report["broker"]
    lines = [
        f"{'devices':>20}  {report['devices']}, {report['seconds']} s",
        (
            f"{'alerts':>20}  {alerts['raised']} raised, {alerts['received_distinct']} received, "
            f"{alerts['lost']} lost, {alerts['received_again']} received again"
        ),
        (
            f"{'rates':>20}  {rates['alerts_s']} alerts/s, {rates['messages_s']} messages/s, "
            f"{rates['kb_s']} kB/s"
        ),
    ]
    for name, found in report["latency_ms"].items():
        if found is not None:
            figures = ", ".join(f"{key} {value}" for key, value in found.items())
            lines.append(f"{name.replace('_', ' '):>20}  {figures} ms")
    if broker["cpu_share"] is not None:
        lines.append(
            f"{'broker':>20}  {broker['cpu_share']:.1%} of a core, {broker['rss_mb']} MB, "
            f"{broker['kb_per_device']} kB a device"
        )
    return lines


def _write(path: Path, report: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=2) + "\n")
    except OSError as error:
        raise SimError(f"{path}: cannot be written ({error.strerror})", Exit.DISK) from None


def _whole(low: int, high: int) -> Any:
    def number(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is not between {low} and {high}")
        return value

    return number


def _above_zero(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value
