"""`python -m tests.bench [--only NAME]`: ours against the OpenCV way, in one run on one machine.

Writes build/bench.json (merged with what is there), build/bench-detail.json (extremes, peak memory,
how it was done) and build/bench.md (for the README).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from agent.adapters.opencv_quiet import quieten_opencv
from agent.errors import BodycamError, Exit
from tests.bench import networks, synced, whole
from tests.bench.machine import machine
from tests.bench.results import Comparison, load, merge_into
from tests.bench.table import markdown, print_tables
from tests.demo.stage import StageError

OUT = Path("build/bench.json")
DEMO_REPORT = Path("build/demo/report.json")

Results = dict[str, Any]


def main() -> int:
    args = _arguments()
    try:
        names = things(args.only)
    except ValueError as error:
        print(error, file=sys.stderr)
        return int(Exit.USAGE)
    quieten_opencv()
    with whole.Sides(args.threads or 2) as sides:
        for name in names:
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            try:
                compared, others = THINGS[name](args, sides)
            except (FileNotFoundError, RuntimeError, StageError, BodycamError) as error:
                print(f"{name}: {error}", file=sys.stderr)
                return int(Exit.NO_INPUT)
            _keep(compared, others, args)
    print_tables(load(args.out), load(_beside(args.out, "bench-detail.json")))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", metavar="NAME", default="", help=", ".join(THINGS))
    parser.add_argument("--threads", type=int, help="default: 1 for a network, 2 for the whole")
    parser.add_argument("--rounds", type=int, help="default: 30 for a network, 5 or 3 else")
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


def things(word: str) -> list[str]:
    """The things called so, or whose names begin so; `detector_640_int8` is in `detector_640`.

    Raises:
        ValueError: there are none.
    """
    if word in THINGS and not word.endswith("_300k"):  # the list's own figures are of both
        return [word]
    found = [name for name in THINGS if name.startswith(word) or word.startswith(f"{name}_")]
    if not found:
        raise ValueError(f"no such benchmark: {word}; there are {', '.join(THINGS)}")
    return found


def _keep(compared: dict[str, Comparison], others: Results, args: argparse.Namespace) -> None:
    """Merge into the files at once, so that a later failure loses nothing.

    bench.json gets what it promises, bench-detail.json all the rest.
    """
    found: Results = {"machine": machine()}
    detail: Results = {"machine": machine()}
    for name, comparison in compared.items():
        detail[name] = comparison.detail()
        if not name.endswith((whole.EVERY_FRAME, whole.SAME_WORK, "_dlib")):
            found[name] = comparison.entry()
    for name, value in others.items():
        (found if name in ("watchlist_300k", "demo_rss_mb") else detail)[name] = value
    results = merge_into(args.out, found)
    details = merge_into(_beside(args.out, "bench-detail.json"), detail)
    command = "make bench" + (f" ONLY={args.only}" if args.only else "")
    _beside(args.out, "bench.md").write_text(markdown(results, details, command), encoding="utf-8")


def _beside(path: Path, name: str) -> Path:
    return path.with_name(name)


def _network(
    measure: Callable[[str, int, int], dict[str, Comparison]],
    name: str,
    args: argparse.Namespace,
    _sides: whole.Sides,
) -> whole.Measured:
    return measure(name, args.threads or 1, args.rounds or 30), {}


def _whole(
    task: str, rounds: int, name: str, args: argparse.Namespace, sides: whole.Sides
) -> whole.Measured:
    return whole.end_to_end(name, task, sides, args.rounds or rounds)


def _watchlist(_args: argparse.Namespace, _sides: whole.Sides) -> whole.Measured:
    return whole.watchlist()


def _synced(_args: argparse.Namespace, _sides: whole.Sides) -> whole.Measured:
    """Start and memory in `watchlist_300k` are those of a device that follows an agency."""
    clip = next(Path("build/assets").rglob("single_face.mp4"), None)
    if clip is None:
        raise FileNotFoundError("no footage; run `make models`")
    found = synced.synced(300_000, clip.parent)
    promised = {name: found[name] for name in ("start_s", "rss_mb", "swap_peak_mb")}
    return {}, {"watchlist_300k": promised, "watchlist_300k_synced": found}


def _demo(_args: argparse.Namespace, _sides: whole.Sides) -> whole.Measured:
    if not DEMO_REPORT.is_file():
        print(f"{DEMO_REPORT}: not there; run `make demo` for its memory", file=sys.stderr)
        return {}, {}
    report = json.loads(DEMO_REPORT.read_text(encoding="utf-8"))
    return {}, {"demo_rss_mb": report["rss_peak_mb"]}


THINGS: dict[str, Callable[[argparse.Namespace, whole.Sides], whole.Measured]] = {
    **{name: partial(_network, networks.detector, name) for name in networks.SIZES},
    **{name: partial(_network, networks.embedder, name) for name in networks.BATCHES},
    "end_to_end_360p_300k": partial(_whole, "footage", 5, "end_to_end_360p_300k"),
    "crowd_1080p_100": partial(_whole, "crowd", 3, "crowd_1080p_100"),
    "watchlist_300k": _watchlist,
    "watchlist_300k_synced": _synced,
    "demo_rss_mb": _demo,
}

if __name__ == "__main__":
    sys.exit(main())
