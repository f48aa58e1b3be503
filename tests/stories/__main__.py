"""`make stories`: every shipped story against the unchanged agent.

Writes build/stories.json: per story whether it passed, what it expects and its score. A page for
each is in build/stories/. A story that this machine lacks something for is skipped with the reason,
and has not passed (`"passed": null`). Exit code 0 only when all that were played pass.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firmware_sim.errors import SimError
from firmware_sim.score.html import as_html
from firmware_sim.story.format import Story
from tests.demo.stage import ROOT, StageError
from tests.stories.chosen import chosen
from tests.stories.needs import missing
from tests.stories.play import Play
from tests.stories.played import Played

OUT = ROOT / "build" / "stories"


def main(argv: Sequence[str] | None = None) -> int:
    try:
        return _main(argv)
    except SimError as error:
        print(error, file=sys.stderr)
        return int(error.code)
    except KeyboardInterrupt:
        print("stopped; what was played is in build/stories.json", file=sys.stderr)
        return 130


def _main(argv: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="STORY",
        help="names of shipped ones, or files, these only; results are merged",
    )
    parser.add_argument("--footage", type=Path, default=ROOT / "build" / "assets")
    options = parser.parse_args(argv)
    stories = chosen(options.only)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = _earlier() if options.only else {}
    began = time.monotonic()
    for name, story in stories.items():
        results[name] = _play(name, story, options.footage)
        _write(results)
    failed = [name for name in stories if results[name]["passed"] is False]
    skipped = [name for name in stories if results[name]["passed"] is None]
    played = len(stories) - len(skipped)
    print(
        f"\n{played - len(failed)} of {played} stories as expected, "
        f"{f'{len(skipped)} skipped, ' if skipped else ''}"
        f"{time.monotonic() - began:.0f} s; build/stories.json, pages in build/stories/"
    )
    return 1 if failed else 0


def _play(name: str, story: Story, footage: Path) -> dict[str, Any]:
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    expected = story.expect.model_dump(mode="json")
    if reason := missing(story):
        print(f"skipped {name}: {reason}", flush=True)
        return {"passed": None, "expected": expected, "score": {"skipped": reason}}
    try:
        played = Play(name, story, folder, footage).run()
    except (StageError, SimError) as error:
        said = f"{error}{_last_words(folder / 'agent.log')}"
        print(f"FAILED  {name}: {said}")
        return {"passed": False, "expected": expected, "score": {"error": said}}
    (folder / "score.html").write_text(as_html(played.score), encoding="utf-8")
    _tell(name, played)
    return {"passed": not played.problems, "expected": expected, "score": played.score}


def _last_words(log: Path) -> str:
    """What the agent said last, for it often tells more than who waited for it."""
    said = log.read_text(errors="replace").split("\n") if log.exists() else []
    last = next((line for line in reversed(said) if line.strip()), "")
    return f"; the agent said last: {last}" if last else ""


def _tell(name: str, played: Played) -> None:
    score = played.score
    came = score["found"] + score["missed"]
    late = score["time_to_alert_s"]
    print(
        f"{'FAILED' if played.problems else 'passed'}  {name:22} {played.seconds:5.1f} s  "
        f"found {score['found']}/{came}, false {score['false_alerts']['count']}, "
        f"{'-' if late is None else format(late['median'], '.1f')} s to the alert, "
        f"tracks {score['tracks_per_person']} a person",
        flush=True,
    )
    for problem in played.problems:
        print(f"        {problem}")


def _earlier() -> dict[str, Any]:
    path = ROOT / "build" / "stories.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _write(results: dict[str, Any]) -> None:
    path = ROOT / "build" / "stories.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
