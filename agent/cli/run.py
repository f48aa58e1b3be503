"""`bodycam-agent run`: the main job."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.common import print_json, say
from agent.errors import UsageError
from agent.policy.field_test import FIELD_TEST_AUTHORISATION

if TYPE_CHECKING:
    from agent.app import Context

_REASON = "run from the command line"
_DESCRIPTION = """Watches a camera until the end of the file, or until it is told to stop.

Whoever names a source here stands at the device and arms it by that, under the built-in
field-test policy: every event says test. Without --source (a service) the agent starts disarmed:
frames are dropped, nobody is looked at, until `bodycam-agent ctl arm`. A broker that cannot be
reached is not an error: alerts wait on disk."""
_EXAMPLES = """examples:
  bodycam-agent run --source camera:0 --reason "field test" --authorisation TEST-1
  bodycam-agent run --source clip.mp4 --report report.json
  bodycam-agent run --source http://10.0.0.7/stream.mjpg --set mqtt.host=broker.local
  bodycam-agent run --config /etc/bodycam-agent/config.yaml

exit codes:
  0 done; 65 the source is no video; 66 no such file; 69 the camera cannot be reached, or another
  agent runs here; 75 end of file, but alerts are still waiting; 78 unreadable configuration
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "run",
        help="the main job: watch a camera, raise alerts",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    add = parser.add_argument
    add(
        "--source",
        metavar="S",
        help="a video, an image folder, /dev/video0 or camera:0, http(s):// MJPEG, rtsp://",
    )
    add(
        "--pace",
        choices=("auto", "live", "max"),
        help="live: newest frame wins, files in real time; max: every frame, as fast as possible",
    )
    add("--report", metavar="FILE", type=Path, help="write the run report, JSON, at the end")
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument("--arm", action="store_true", help="begin armed, also without --source")
    begin.add_argument("--disarmed", action="store_true", help="begin disarmed, whatever else")
    add("--reason", help=f"why it is armed, for the audit log (default: {_REASON!r})")
    add(
        "--authorisation",
        metavar="ID",
        help=f"what permits it (default: {FIELD_TEST_AUTHORISATION}, the built-in consent)",
    )
    add(
        "--camera-timeout",
        metavar="S",
        type=float,
        help="exit 69 when a live source is not reached within S seconds of the start; 0: at the "
        "first failure (default: try for ever)",
    )


def run(args: argparse.Namespace, context: Context) -> int:
    from agent.adapters.own_memory import seal_memory
    from agent.app.build import RunOptions, build_agent

    seal_memory()  # again: whoever called this may not be the program itself
    options = RunOptions(_timeout(args), _arming(args))
    agent = build_agent(_with_source(args, context), options)
    try:
        code = agent.run()
    finally:
        report = agent.report()
        if args.report is not None:
            _write(args.report, report)
    _summarise(report)
    if context.json:
        print_json(report)
    return code


def _with_source(args: argparse.Namespace, context: Context) -> Context:
    """The options of `run` are settings like any other, given last."""
    from agent.app import Context as Again

    wanted = {"camera.source": args.source, "camera.pace": args.pace}
    extra = tuple(f"{key}={_yaml(value)}" for key, value in wanted.items() if value is not None)
    return Again(
        context.state_dir, context.config_file, (*context.overrides, *extra), json=context.json
    )


def _yaml(text: str) -> str:
    """A text as a YAML scalar that nothing in it can break."""
    import json

    return json.dumps(text)


def _timeout(args: argparse.Namespace) -> float | None:
    seconds: float | None = args.camera_timeout
    if seconds is not None and not 0 <= seconds < float("inf"):
        raise UsageError("--camera-timeout: give seconds, 0 or more")
    return seconds


def _arming(args: argparse.Namespace) -> tuple[str, str] | None:
    from agent.cli.ctl import arming_request

    if args.disarmed or not (args.arm or args.source):
        if args.reason or args.authorisation:
            raise UsageError("--reason and --authorisation go with --source or --arm")
        return None
    reason = _REASON if args.reason is None else args.reason
    authorisation = args.authorisation
    if authorisation is None:
        authorisation = FIELD_TEST_AUTHORISATION
    request = arming_request(reason, authorisation)
    return request.reason, request.authorisation


def _write(path: Path, report: dict[str, Any]) -> None:
    from agent.adapters.state_dir import write_json

    write_json(path, report)


def _summarise(report: dict[str, Any]) -> None:
    frames, alerts, late = report["frames"], report["alerts"], report["latency_ms"]
    say(
        f"frames    {frames['read']} read, {frames['processed']} processed, "
        f"{frames['dropped']} dropped, {report['fps']:g} per second"
    )
    say(
        f"work      {report['faces']} faces, {report['tracks']} tracks, "
        f"{report['embeddings']} embeddings, {report['searches']} searches"
    )
    say(
        f"alerts    {alerts['raised']} raised, {alerts['delivered']} delivered, "
        f"{alerts['pending']} waiting"
    )
    say(
        f"latency   frame p50 {late['frame']['p50']:g} ms, p95 {late['frame']['p95']:g} ms; "
        f"alert to acknowledgement p95 {late['alert_to_ack']['p95']:g} ms"
    )
    say(f"memory    {report['rss_peak_mb']:g} MB at most; armed {report['armed_seconds']:g} s")
    if not report["armed_seconds"]:
        say("disarmed all the time: nobody was looked at. Arm with `ctl arm`")
