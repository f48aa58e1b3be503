"""The commands about stories: `render`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware_sim.errors import Exit, SimError

DEFAULT_FOOTAGE = "build/assets"
_RENDER_EXAMPLES = """examples:
  bodycam-sim render walk-up --out walk-up.mp4 --truth walk-up.jsonl
      a shipped story as a film, and who is where in each of its frames
  bodycam-sim render crowd-30 --size 1920x1080 --out frames/ --truth crowd.jsonl
      as JPEGs, each byte as the camera would send it
  bodycam-sim render my.yaml --truth my.jsonl
      the truth alone
  bodycam-sim render --list
      the shipped stories

The same story and seed give the same frames and the same truth, bit for bit, with the same
versions of OpenCV and numpy. The format is told in agent/docs/stories.md.

exit codes: 0 done, 64 usage, 65 not a story, 66 no such story or footage, 74 cannot be written
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
    add(
        "--footage",
        type=Path,
        default=Path(DEFAULT_FOOTAGE),
        metavar="DIR",
        help=f"the pinned footage (default {DEFAULT_FOOTAGE})",
    )
    add("--size", type=_size, metavar="WxH", help="another size than the story's, pixels")
    add("--seed", type=_seed, metavar="N", help="another seed than the story's")
    add("--json", action="store_true", help="tell the result, or the list, as JSON on stdout")


def _render(arguments: argparse.Namespace) -> int:
    from firmware_sim.render import RenderOptions, render
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
    if arguments.out is None and arguments.truth is None:
        raise SimError("nothing to write: give --out, --truth or both", Exit.USAGE)
    name, story = load_story(arguments.story)
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
