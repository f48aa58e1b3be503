"""`make soak`: a whole shift of the whole agent in faster time, and nothing of it grows.

Camera, positions, battery and heat from `bodycam-sim`; a broker behind `bodycam-sim link`; a hub
that acknowledges and publishes lists; the unchanged agent in between. Every process goes by a
clock that runs SPEED times as fast (tests/soak/faster.c). What is accelerated, what is not, and
why that is sound: agent/docs/soak.md. The recording is build/soak/samples.jsonl, the verdict
build/soak.json. Exit code 0 only when everything was flat, nobody died, and every alert arrived.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from tests.soak.clock import COMPILER
from tests.soak.reel import reel
from tests.soak.run import Shift, run
from tests.soak.table import lines
from tests.soak.verdict import judge_shift
from tests.support.broker import MOSQUITTO

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = ROOT / "build" / "soak"
    if options.judge:
        recorded = json.loads((folder / "shift.json").read_text())
    else:
        if not COMPILER or not MOSQUITTO:
            print("soak: needs a C compiler and mosquitto (apt-get install gcc mosquitto)")
            return 69
        build = folder.parent
        pictures = reel(build / "soak-reel", build / "assets")
        recorded = run(folder, pictures, build, Shift(options.hours, options.speed, options.seed))
        (folder / "shift.json").write_text(json.dumps(recorded))
    verdict = judge_shift(recorded)
    (ROOT / "build" / "soak.json").write_text(json.dumps(verdict, indent=2) + "\n")
    print("\n".join(lines(verdict)))
    return 1 if verdict["broken"] else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    add = parser.add_argument
    add("--hours", type=float, default=8.0, help="of the device (8)")
    add("--speed", type=float, default=16.0, help="how much faster than real time (16)")
    add("--seed", type=int, default=1, help="of the moments at which things happen")
    add("--judge", action="store_true", help="judge the last recording again, without a run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
