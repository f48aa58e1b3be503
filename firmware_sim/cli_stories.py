"""The commands about stories: `render` and `score`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware_sim.errors import Exit, SimError

if TYPE_CHECKING:
    from firmware_sim.story.playing import StoryFilm

DEFAULT_FOOTAGE = "build/assets"
_RENDER_EXAMPLES = """examples:
  bodycam-sim render walk-up --out walk-up.mp4 --truth walk-up.jsonl
      a shipped story as a film, and who is where in each of its frames
  bodycam-sim render crowd-30 --size 1920x1080 --out frames/ --truth crowd.jsonl
      as JPEGs, each byte as the camera would send it
  bodycam-sim render my.yaml --truth my.jsonl
      the truth alone
  bodycam-sim render my.yaml --photos photos
      photos/E-1.png and so on, to put on a watchlist who is on that of the story
  bodycam-sim render --list
      the shipped stories

The same story and seed give the same frames and the same truth, bit for bit, with the same
versions of OpenCV and numpy. The format is told in agent/docs/stories.md.

exit codes: 0 done, 64 usage, 65 not a story, 66 no such story or footage, 74 cannot be written,
130 interrupted (nothing is left of the film)
"""


def add_render(commands: Any) -> None:
    """`bodycam-sim render`."""
    command = commands.add_parser(
        "render",
        help="draw a story to a film or pictures, with the truth about each frame",
        description="Draw a story to a film or pictures, with the truth about each frame.",
        epilog=_RENDER_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(do=_render)
    add = command.add_argument
    add("story", nargs="?", metavar="STORY", help="a shipped story, or a YAML file")
    add("--list", action="store_true", help="name the shipped stories, and do nothing else")
    add("--out", type=Path, metavar="FILE", help="film.mp4, film.avi (motion JPEG), or a folder")
    add("--truth", type=Path, metavar="FILE", help="JSON lines: a head, then one for each frame")
    add("--photos", type=Path, metavar="DIR", help="write ENTRY.png of everybody on its list")
    add(
        "--footage",
        type=Path,
        default=Path(DEFAULT_FOOTAGE),
        metavar="DIR",
        help=f"the pinned footage, made by `make models` (default {DEFAULT_FOOTAGE})",
    )
    add("--size", type=_size, metavar="WxH", help="another size than the story's, pixels")
    add("--seed", type=_seed, metavar="N", help="another seed than the story's")
    add("--json", action="store_true", help="tell the result, or the list, as JSON on stdout")


def _render(arguments: argparse.Namespace) -> int:
    from firmware_sim.render import RenderOptions, render, write_photographs
    from firmware_sim.story.loading import load_story, story_names

    if arguments.list:
        stories = {name: load_story(name)[1].title for name in story_names()}
        if arguments.json:
            print(json.dumps(stories))
        else:
            print("\n".join(f"{name:24} {title}" for name, title in stories.items()))
        return int(Exit.OK)
    if arguments.story is None:
        raise SimError("which story? --list names the shipped ones", Exit.USAGE)
    if arguments.out is arguments.truth is arguments.photos is None:
        raise SimError("nothing to write: give --out, --truth or --photos", Exit.USAGE)
    name, story = load_story(arguments.story)
    if arguments.photos is not None:
        write_photographs(story, arguments.footage, arguments.photos)
        if arguments.out is arguments.truth is None:
            return int(Exit.OK)
    frames = render(
        RenderOptions(
            name,
            story,
            arguments.footage,
            arguments.out,
            arguments.truth,
            arguments.size,
            arguments.seed,
        ),
        progress=_progress(),
    )
    if arguments.json:
        print(json.dumps({"story": name, "frames": frames}))
    else:
        print(f"bodycam-sim: {frames} frames of {name}", file=sys.stderr)
    return int(Exit.OK)


def _progress() -> Callable[[int, int], None]:
    if not sys.stderr.isatty():
        return lambda _done, _all: None
    return lambda done, all_: print(f"\r{done}/{all_}", end="", file=sys.stderr, flush=True)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f"{text} is not WIDTHxHEIGHT, as 1920x1080")
    size = int(width), int(height)
    if not (160 <= size[0] <= 3840 and 120 <= size[1] <= 2160):  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{text} is not between 160x120 and 3840x2160")
    return size


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**31:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 2147483647")
    return value


def add_story_source(run: argparse.ArgumentParser) -> None:
    """The story that `bodycam-sim run` may play instead of footage."""
    add = run.add_argument
    add("story", nargs="?", metavar="STORY", help="a shipped story, or a YAML file, to be drawn")
    add("--truth", type=Path, metavar="FILE", help="of the story: who is in each frame")
    add(
        "--footage",
        type=Path,
        default=Path(DEFAULT_FOOTAGE),
        metavar="DIR",
        help=f"of the story: the pinned footage, made by `make models` (default {DEFAULT_FOOTAGE})",
    )


def story_film(arguments: argparse.Namespace) -> StoryFilm | None:
    """The story that was named, if any.

    Raises:
        SimError: both or neither of story and footage are given, or it is no story.
    """
    from firmware_sim.render import require_place
    from firmware_sim.story.loading import load_story
    from firmware_sim.story.playing import StoryFilm

    if bool(arguments.play) == bool(arguments.story):
        raise SimError("one of STORY and --play FILE is needed; see --help", Exit.USAGE)
    if not arguments.story:
        if arguments.truth:
            raise SimError("--truth is for a STORY: who is in footage is not known", Exit.USAGE)
        return None
    if arguments.loop != 1 or arguments.fps:
        raise SimError("--loop and --fps are for --play; a story says its own", Exit.USAGE)
    name, story = load_story(arguments.story)
    if arguments.truth:
        require_place(arguments.truth)
    film = StoryFilm(name, story, arguments.footage, arguments.truth)
    film.prepare()
    return film


_SCORE_EXAMPLES = """examples:
  bodycam-sim score --truth walk-up.jsonl --received got.jsonl --start-at 1700000000
      what the camera at 1700000000 showed, against what a subscriber got
  bodycam-sim score --truth t.jsonl --received r.jsonl --start-at 1700000000 \\
      --report report.json --story walk-up --html walk-up.html
      with the agent's run report (alerts lost, tracks), held to the story's bounds, as a page

A line of the received file: {"topic": …, "received_at": seconds since 1970, "payload": …}.

exit codes: 0 done (and as good as the story expects), 1 worse than it expects, 64 usage, 65 not the
right kind of file, 66 no such file, 74 the page cannot be written
"""
_WORSE = 1


def add_score(commands: Any) -> None:
    """`bodycam-sim score`."""
    command = commands.add_parser(
        "score",
        help="compare what a receiver got with what was there",
        description="Compare what an independent receiver got with what was really there.",
        epilog=_SCORE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(do=_score)
    add = command.add_argument
    add("--truth", type=Path, required=True, metavar="FILE", help="of `bodycam-sim render`")
    add("--received", type=Path, required=True, metavar="FILE", help="every message, JSON lines")
    add(
        "--start-at",
        type=float,
        metavar="EPOCH",
        help="capture time of the first frame, seconds since 1970 (default: as `run --truth` says)",
    )
    add("--report", type=Path, metavar="FILE", help="of `bodycam-agent run --report`")
    add("--story", metavar="STORY", help="hold the score to what this story expects")
    add("--late-s", type=float, metavar="S", help="alerts that come later than this are late")
    add("--html", type=Path, metavar="FILE", help="write a page with a timeline")
    add("--json", action="store_true", help="the score as JSON on stdout instead of a table")


def _score(arguments: argparse.Namespace) -> int:
    from firmware_sim.score.bounds import shortfalls
    from firmware_sim.score.files import read_received, read_report, read_truth
    from firmware_sim.score.html import as_html
    from firmware_sim.score.scoring import score
    from firmware_sim.score.table import as_table
    from firmware_sim.story.loading import load_story

    truth = read_truth(arguments.truth)
    name, story = load_story(arguments.story) if arguments.story is not None else (None, None)
    if name is not None and truth[0].get("story") != name:
        said = f"{arguments.truth} is of the story {truth[0].get('story')}, not of {name}"
        print(f"bodycam-sim: note: {said}", file=sys.stderr)
    start_at = truth[0].get("start_at") if arguments.start_at is None else arguments.start_at
    if start_at is None:
        raise SimError("this truth tells no time of its start: give --start-at", Exit.USAGE)
    made = score(
        truth,
        read_received(arguments.received),
        start_at=start_at,
        late_s=arguments.late_s,
        report=read_report(arguments.report) if arguments.report else None,
    )
    problems = []
    if story is not None:
        problems = shortfalls(story.expect, made)
    if arguments.html is not None:
        try:
            arguments.html.write_text(as_html(made), encoding="utf-8")
        except OSError as error:
            reason = f"{arguments.html}: cannot be written ({error.strerror})"
            raise SimError(reason, Exit.DISK) from None
    print(json.dumps(made) if arguments.json else as_table(made))
    for problem in problems:
        print(f"bodycam-sim: {problem}", file=sys.stderr)
    return _WORSE if problems else int(Exit.OK)
