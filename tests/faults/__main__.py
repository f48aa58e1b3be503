"""`make faults`: every fault of a story alone, and random pairs of them, against the whole agent.

Each timeline is a story of 28 s: the real agent process, a camera over HTTP, gpsd, a tree like
/sys, a shaped link, a broker (mosquitto where it is installed), an independent subscriber, an
operator. Several run side by side, since they mostly wait. build/faults.json has every verdict, and
build/faults/NAME/ what was recorded. A timeline that a busy machine made void is played again, and
has not passed if that did not help. Exit code 0 only when every one is as it must be.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.demo.stage import ROOT
from tests.faults.agency import PreparedAgency
from tests.faults.batch import play_all
from tests.faults.judge import Verdict, judge
from tests.faults.play import BROKER, Prepared
from tests.faults.recording import read
from tests.faults.table import as_table
from tests.faults.timelines import FAULTS, RULED, Fault, Timeline, alone, needed, pairs
from tests.stories.needs import lacking

OUT = ROOT / "build" / "faults"


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    skipped = {fault.name: why for fault in FAULTS if (why := lacking(needed(fault)))}
    for why in skipped.values():
        print(f"skipped {why}", flush=True)
    here = [fault for fault in FAULTS if fault.name not in skipped]
    if options.ruled:
        names = {fault.name for fault in here}
        here = [fault for fault in RULED if fault.name in names]
    plan = _plan(here, options)
    if options.again:
        verdicts = [judge(read(OUT / one.name / "recording.json")) for one in plan]
    else:
        verdicts = _play(plan, options)
    void = sum(bool(one.void) for one in verdicts)
    broken = sum(not one.passed for one in verdicts) - void
    results = {
        "seed": options.seed,
        "broker": BROKER,
        "skipped": skipped,
        "broken": broken,
        "void": void,
        "timelines": [asdict(one) for one in verdicts],
    }
    (ROOT / "build" / "faults.json").write_text(json.dumps(results, indent=2) + "\n")
    print("\n" + as_table(verdicts, plan))
    print(f"\n{len(verdicts) - broken - void} of {len(verdicts)} timelines as they must be", end="")
    print(f", {void} void on a busy machine" if void else "", end="")
    print(f", {len(skipped)} faults skipped" if skipped else "", "; build/faults.json", sep="")
    return 1 if broken or void else 0


def _plan(here: Sequence[Fault], options: argparse.Namespace) -> list[Timeline]:
    singles = [] if options.pairs_only else alone(here, options.seed, ruled=options.ruled)
    every = [*singles, *pairs(here, options.seed, options.timelines, ruled=options.ruled)]
    chosen = [one for one in every if not options.only or one.name in options.only]
    return [one for one in chosen if options.fault in ("", *one.faults)]


def _play(plan: Sequence[Timeline], options: argparse.Namespace) -> list[Verdict]:
    """All of them, with progress; in the order of the plan."""
    began = time.monotonic()
    done: dict[str, Verdict] = {}
    world = PreparedAgency if options.ruled else Prepared
    for verdict in play_all(plan, OUT, options.footage, options.workers, world):
        done[verdict.name] = verdict
        so_far = f"{len(done)}/{len(plan)} {time.monotonic() - began:5.0f} s"
        print(f"{so_far}  {_line(verdict)}", flush=True)
    return [done[one.name] for one in plan]


def _line(verdict: Verdict) -> str:
    if verdict.void:
        return f"void    {verdict.name}: {verdict.void}: " + "; ".join(verdict.broken)
    if not verdict.passed:
        return f"BROKEN  {verdict.name}: " + "; ".join(verdict.broken)
    return f"ok      {verdict.name}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add: Any = parser.add_argument
    add("--timelines", type=_count, default=50, metavar="N", help="random pairs (default 50)")
    add("--seed", type=int, default=1, help="of times, figures and pairs (default 1)")
    add("--ruled", action="store_true", help="under an agency's rules, with its hub; longer")
    add("--pairs-only", action="store_true", help="not each fault alone as well")
    add("--only", nargs="+", metavar="NAME", help="these timelines only")
    names = [fault.name for fault in FAULTS]
    add("--fault", default="", choices=names, metavar="KIND", help="timelines with this fault only")
    add("--again", action="store_true", help="judge what was recorded before; play nothing")
    add("--workers", type=_count, default=max(1, os.cpu_count() or 1), help="side by side")
    add("--footage", type=Path, default=ROOT / "build" / "assets")
    return parser.parse_args()


def _count(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 10_000:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 10000")
    return value


if __name__ == "__main__":
    sys.exit(main())
