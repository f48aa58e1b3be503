"""`make demo`: the agent on a simulated camera, one listed man among others, one alert.

Everybody is a process of its own, started through the real command lines: a broker, a receiver
that shares no code with the agent, the simulated camera, the agent. Exit code 0 only when exactly
the one expected alert arrived.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tests.demo.stage import ROOT, Stage, StageError, enrol_commands, run_command
from tests.support.receiver import lines

ENTRY = "E-1"
DISTRACTORS = 1000
LEAST_SIMILARITY = 0.5
CLIPS = ("single_face.mp4", "WolfgangLanger_Pexels.mp4", "no_face.mp4")
PHOTO = "single_face.jpg"
_RUN_S = 120.0
_ARRIVE_S = 10.0


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    folder, footage = ROOT / "build" / "demo", ROOT / "build" / "assets"
    missing = [name for name in (PHOTO, *CLIPS) if not (footage / name).exists()]
    if missing:
        print(f"demo: {footage}/{missing[0]} is not there; run `make models` first")
        return 66
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with Stage(folder) as stage:
            code = play(stage, footage)
    except StageError as error:
        print(f"demo: {error}")
        return 1
    problems = judge(code, lines(stage.alerts))
    tell(folder, problems, time.monotonic() - began)
    return 1 if problems else 0


def play(stage: Stage, footage: Path) -> int:
    """Enrol, watch, wait until everything arrived; the agent's exit code."""
    state = stage.folder / "state"
    until = (datetime.now(timezone.utc) + timedelta(days=1)).date().isoformat()
    print(f"Enrolling one man, and {DISTRACTORS} distractors (random templates of nobody) ...")
    for command in enrol_commands(state, footage / PHOTO, DISTRACTORS, until):
        stage.once("enrol", command)
    print("Starting broker, receiver and simulated camera, then the agent ...")
    stage.broker.start()
    stage.start_receiver()
    url = stage.start_camera([footage / name for name in CLIPS], "--pace", "max", "--wait-client")
    report = stage.folder / "report.json"
    agent = stage.start("agent", run_command(state, url, report, *stage.to_broker()))
    try:
        code = agent.wait(_RUN_S)
    except subprocess.TimeoutExpired:
        raise StageError(f"the agent did not end within {_RUN_S:g} s") from None
    deadline = time.monotonic() + _ARRIVE_S
    while not stage.offline_seen(0) and time.monotonic() < deadline:
        time.sleep(0.02)
    return code


def judge(code: int, events: list[Any]) -> list[str]:
    """What is not as it should be; empty when the demo succeeded."""
    problems = [] if code == 0 else [f"the agent ended with exit code {code}"]
    matches = [event for event in events if event.get("type") == "bodycam.match.v1"]
    updates = [event for event in events if event.get("type") == "bodycam.match.update.v1"]
    others = len(events) - len(matches) - len(updates)
    if len(matches) != 1:
        problems.append(f"{len(matches)} match events arrived, 1 was expected")
    for event in matches:
        if event["data"]["entry"] != ENTRY:
            problems.append(f"an alert names {event['data']['entry']}, not {ENTRY}")
        if event["data"]["similarity"] < LEAST_SIMILARITY:
            problems.append(f"similarity {event['data']['similarity']} < {LEAST_SIMILARITY}")
    first = {event["id"] for event in matches}
    if others or any(update["data"].get("match") not in first for update in updates):
        problems.append("something else than the expected alert arrived")
    return problems


def tell(folder: Path, problems: list[str], seconds: float) -> None:
    """The summary for the person at the terminal."""
    for event in lines(folder / "alerts.jsonl"):
        _tell_event(event)
    report_file = folder / "report.json"
    if report_file.exists():
        _tell_report(json.loads(report_file.read_text()))
    print(f"\n  took      {seconds:.1f} s; details in {folder.relative_to(ROOT)}/")
    for problem in problems:
        print(f"  FAILED    {problem}")
    print("  result    " + ("FAILED" if problems else "as it should be: one alert, else silence"))


def _tell_event(event: dict[str, Any]) -> None:
    data = event.get("data", {})
    print(f"\n  received  {event.get('type')} at {event.get('time')}")
    print(
        f"            entry {data.get('entry')}, similarity {data.get('similarity'):.3f} "
        f"(threshold {data.get('threshold'):.3f}), {data.get('shots')} shots, "
        f"test {data.get('test')}"
    )
    print(f"            {data.get('notice')}")


def _tell_report(report: dict[str, Any]) -> None:
    frames, alerts, late = report["frames"], report["alerts"], report["latency_ms"]
    models, listed = report["models"], report["watchlist"]
    silent = report["tracks"] - alerts["raised"]
    print(f"\n  watched   {', '.join(CLIPS)}")
    print(f"            {frames['processed']} frames, {frames['dropped']} dropped")
    print(f"  list      {listed['subjects']} subjects, {listed['templates']} templates")
    print(f"  silence   about {silent} of {report['tracks']} people or things that looked like one")
    print(f"  alerts    {alerts['raised']} raised, {alerts['delivered']} delivered")
    print(f"  speed     {report['fps']:g} frames/s")
    print(
        f"  latency   frame p50 {late['frame']['p50']:g} ms, p95 {late['frame']['p95']:g} ms; "
        f"alert to acknowledgement {late['alert_to_ack']['max']:g} ms"
    )
    print(f"  memory    {report['rss_peak_mb']:g} MB at most")
    print(f"  models    {models['detector']['name']}, {models['embedder']['name']}")


if __name__ == "__main__":
    sys.exit(main())
