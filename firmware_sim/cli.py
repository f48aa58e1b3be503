"""The command line of the simulated camera."""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn

from firmware_sim.cli_device import add_device_flags, body_options, idle
from firmware_sim.cli_fleet import add_fleet
from firmware_sim.cli_link import add_link
from firmware_sim.cli_stories import add_render, add_score, add_story_source, story_film
from firmware_sim.errors import Exit, SimError

_MAX_PIXELS = 120_000_000
_QUALITY = 90
_INTERRUPTED = 130
_RUN_EXAMPLES = """examples:
  bodycam-sim run --play walk.mp4
      a camera on a free port of this machine, in real time; the address is printed
  bodycam-sim run --play walk.mp4 street/ --port 8080 --loop 0
      a video, then the pictures of a folder, again and again
  bodycam-sim run --play walk.mp4 --pace max --wait-client --start-at 1700000000 --port-file port
      every frame, as fast as the one viewer reads; capture times from a chosen start
  bodycam-sim run --play walk.mp4 --loop 0 --gps 2947 --sysfs board --at 30:battery=5 --at 60:hang
      with a receiver of positions and a battery; what happens when, in seconds from the start
  bodycam-sim run walk-up --wait-client --truth walk-up.jsonl
      a story of `render --list`, drawn as it is played, and the truth about it

exit codes: 0 played to the end or stopped, 64 usage, 65 footage that cannot be decoded,
66 no such file, 69 the address cannot be taken, 74 the port file cannot be written
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    code = 0
    try:
        code = _command(argv)
        sys.stdout.flush()
    except BrokenPipeError:  # its reader is gone, and Python must not complain at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _command(argv: Sequence[str] | None) -> int:
    try:
        arguments = _parser().parse_args(argv)
        # OpenCV reads this when it is loaded: a picture that would fill the memory is not decoded.
        os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(_MAX_PIXELS))
        return int(arguments.do(arguments))
    except SystemExit as done:  # --help and --version
        return int(done.code or 0)
    except SimError as error:
        print(f"bodycam-sim: {error}", file=sys.stderr)
        return int(error.code)
    except KeyboardInterrupt:
        print("bodycam-sim: stopped", file=sys.stderr)
        return _INTERRUPTED


def _run(arguments: argparse.Namespace) -> int:
    from firmware_sim.device import Profile
    from firmware_sim.player import Encoder
    from firmware_sim.run import RunOptions, run_camera

    film = story_film(arguments)
    quality = arguments.quality or (film.story.camera.jpeg_quality if film else _QUALITY)
    for line in idle(arguments):
        print(f"bodycam-sim: note: {line}", file=sys.stderr)
    options = RunOptions(
        play=tuple(arguments.play),
        film=film,
        host=arguments.host,
        port=arguments.port,
        real_time=arguments.pace == "live",
        loop=arguments.loop,
        fps=arguments.fps,
        encoder=Encoder(quality, arguments.width, arguments.height),
        start_at=arguments.start_at,
        wait_client=arguments.wait_client,
        port_file=arguments.port_file,
        body=body_options(arguments, film.profile() if film else Profile()),
        events=(*arguments.at, *(film.events() if film else ())),
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run_camera(options, stop=stop, ready=_announce_json if arguments.json else _announce)
    return int(Exit.OK)


def _announce(url: str, gps_port: int | None) -> None:
    print(f"bodycam-sim: camera at {url}", file=sys.stderr, flush=True)
    if gps_port is not None:
        print(f"bodycam-sim: gpsd at port {gps_port}", file=sys.stderr, flush=True)


def _announce_json(url: str, gps_port: int | None) -> None:
    told: dict[str, str | int] = {"url": url}
    if gps_port is not None:
        told["gps_port"] = gps_port
    print(json.dumps(told), flush=True)


class _Parser(argparse.ArgumentParser):
    """Usage errors are one line and exit with 64."""

    def error(self, message: str) -> NoReturn:
        raise SimError(f"{message}; see {self.prog} --help", Exit.USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="bodycam-sim",
        description="A simulated body camera: plays footage at the interface of a real one.",
        epilog="example: bodycam-sim run --play walk.mp4",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_run(
        commands.add_parser(
            "run",
            help="play footage as an MJPEG camera over HTTP",
            description="Play footage as an MJPEG camera over HTTP: GET /stream.mjpg, "
            "/snapshot.jpg, /healthz.",
            epilog=_RUN_EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    add_render(commands)
    add_fleet(commands)
    add_link(commands)
    add_score(commands)
    return parser


def _add_run(run: argparse.ArgumentParser) -> None:
    run.set_defaults(do=_run)
    add_story_source(run)
    add = run.add_argument
    add(
        "--play",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="videos, pictures, or folders of pictures, played in order",
    )
    add(
        "--pace",
        choices=("live", "max"),
        default="live",
        help="live: in real time, slow viewers miss frames (default); "
        "max: every frame, as fast as the one viewer reads",
    )
    add(
        "--loop",
        type=_whole(0),
        default=1,
        metavar="N",
        help="play it all N times, 0: for ever (default 1)",
    )
    add("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    add("--port", type=_whole(0, 65535), default=0, help="port, 0: a free one (default 0)")
    add("--port-file", metavar="FILE", help="write the port here once it can be reached")
    add("--wait-client", action="store_true", help="begin when the first viewer is there")
    add(
        "--start-at",
        type=_seconds,
        metavar="EPOCH",
        help="capture time of the first frame, seconds since 1970 (default: now)",
    )
    add(
        "--fps",
        type=_rate,
        metavar="N",
        help="frames/s for everything (default: as the videos say, 10 for pictures)",
    )
    add(
        "--quality",
        type=_whole(1, 100),
        help=f"of the JPEGs, 1 to 100 (default {_QUALITY}, or as the story says)",
    )
    add("--width", type=_whole(16, 16384), help="scale to this width, pixels")
    add("--height", type=_whole(16, 16384), help="scale to this height, pixels")
    add("--json", action="store_true", help='print {"url": ...} on stdout when ready')  # fmt: skip
    add_device_flags(run)


def _whole(low: int, high: int | None = None) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < low or (high is not None and value > high):
            raise argparse.ArgumentTypeError(
                f"{value} is not between {low} and {high}" if high else f"{value} is below {low}"
            )
        return value

    return number


def _rate(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1000:  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1000")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and 0 <= value < 2**33):
        raise argparse.ArgumentTypeError(f"{text} is not a time in seconds since 1970")
    return value


def _version() -> str:
    try:
        return version("bodycam-agent")
    except PackageNotFoundError:
        return "unknown"
