"""`make chaos`: raise alerts while everything fails, and see that each arrives, once.

The device is everything of the agent from an alert's commit on, as real processes that are killed
with -9; a script says who is seen (see `tests.chaos.device`). Between it and a real broker is a
link that is slow, stalls, is cut or half open. `bodycam-hub receive` keeps and acknowledges; an
observer of our own listens beside it. The broker is killed, with and without its store; the
device's wall clock jumps a day either way where libfaketime is installed; its disk is filled where
a small file system may be mounted. Exit code 0 only when every count is as it must be; counts in
build/chaos.json.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from tests.chaos.backlog import backlog
from tests.chaos.latency import latency
from tests.chaos.run import Goal, run
from tests.chaos.world import ROOT, Cast
from tests.support.broker import MOSQUITTO


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cast = Cast(receiver=options.receiver, broker=options.broker, seed=options.seed)
    folder = ROOT / "build" / "chaos"
    if options.backlog:
        return backlog(folder.with_name("chaos-backlog"), cast, options.alerts or 1440)
    if options.latency:
        return latency(folder.with_name("chaos-latency"), cast, options.alerts or 400)
    if options.hostile:
        return _hostile(folder.with_name("chaos-hostile"))
    goal = Goal(options.alerts or 1000, options.cuts, options.kills, options.minutes * 60)
    print(
        f"{goal.alerts} alerts, {goal.cuts} cuts, {goal.kills} kills; seed {cast.seed}, "
        f"{cast.broker}, {cast.receiver} acknowledges",
        flush=True,
    )
    verdict = run(folder, cast, goal)
    _write(ROOT / "build" / "chaos.json", verdict.counts)
    for key, value in verdict.counts.items():
        print(f"  {key.replace('_', ' '):<28}{value}")
    for line in verdict.broken:
        print(f"  BROKEN  {line}")
    print("  " + ("BROKEN" if verdict.broken else "as it must be"))
    return 1 if verdict.broken else 0


def _hostile(folder: Path) -> int:
    from tests.chaos.hostile import hostile  # needs the networks' libraries, as nothing else here

    return hostile(folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    add = parser.add_argument
    add(
        "--alerts",
        type=int,
        default=0,
        help="first alerts, at least (1000; backlog: 1440; latency: 400)",
    )
    add("--cuts", type=int, default=100, help="connections cut, at least")
    add("--kills", type=int, default=200, help="kill -9 of device and receiver, at least")
    add("--seed", type=int, default=1)
    add("--minutes", type=float, default=30.0, help="give up after so long")
    add("--receiver", choices=("hub", "observer"), default="hub", help="who acknowledges")
    kinds = ("mosquitto", "amqtt")
    add("--broker", choices=kinds, default=kinds[0] if MOSQUITTO else kinds[1])
    add("--backlog", action="store_true", help="a day offline, then reconnect")
    add("--latency", action="store_true", help="alert to acknowledgement, undisturbed")
    add("--hostile", action="store_true", help="the whole agent at a broker that does its worst")
    return parser.parse_args()


def _write(path: Path, counts: dict[str, object]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(counts, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
