"""A process for one side, so that its threads and its memory are its own.

It makes itself ready, then does one pass for each line on stdin and answers with one line of JSON:

    python -m tests.bench.worker ours --threads 2
    {"task": "footage", "rate_hz": 15}  ->  {"frames": 544, "seconds": 1.2, "rss_peak_mb": 456.7}
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from agent.adapters.opencv_quiet import quieten_opencv
from agent.config import Config
from agent.errors import BodycamError
from tests.bench import long_list, ours, pictures, vectors
from tests.bench.peer import PeerPipeline

PEER_CROWD_FRAMES = 4
"""Every frame costs the peer alike, so that a few tell its rate."""
OUR_CROWD_FRAMES = 90
"""Three seconds: ours does more for a face that it has just met than later."""
PROBES = 2000
BUILDERS = os.cpu_count() or 1
"""Threads that build an index, which is not timed there."""

Task = dict[str, Any]
Pass = Callable[[Task], dict[str, Any]]


def main() -> None:
    args = _arguments()
    quieten_opencv()
    cv2.setNumThreads(args.threads)
    try:
        work = SIDES[args.side](args)
    except (FileNotFoundError, BodycamError) as error:
        sys.exit(str(error))
    _say({"ready": True})
    for line in sys.stdin:
        found = work(json.loads(line))
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        _say({**found, "rss_peak_mb": round(peak_kb / 1024, 1)})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--templates", type=int, default=300_000)
    return parser.parse_args()


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def _ours(args: argparse.Namespace) -> Pass:
    made = ours.networks("auto", args.threads)
    full_size = ours.networks("auto", args.threads, ours.WHOLE_PICTURE)
    plain = ours.gallery(vectors.templates(args.templates, seed=1), BUILDERS)
    listed = plain.indexed() or plain

    def run(task: Task) -> dict[str, Any]:
        play = partial(
            ours.play,
            made=full_size if task.get("full_size") else made,
            listed=listed,
            rate_hz=task["rate_hz"],
        )
        if task["task"] == "crowd":
            shown = pictures.swaying(pictures.crowd(), OUR_CROWD_FRAMES)
            return _timed(lambda: play(shown))
        clips = [pictures.asset(name) for name in pictures.CLIPS]
        return _timed(lambda: sum(play(ours.footage(clip)) for clip in clips))

    return lambda task: {**run(task), "precision": made.precision}


def _peer(args: argparse.Namespace) -> Pass:
    settings = Config().detection
    pipeline = PeerPipeline(
        vectors.templates(args.templates, seed=1),
        score=settings.score,
        nms_iou=settings.nms_iou,
    )

    def run(task: Task) -> dict[str, Any]:
        pipeline.faces = 0
        if task["task"] == "crowd":
            shown = pictures.swaying(pictures.crowd(), PEER_CROWD_FRAMES)
            return _timed(lambda: len([pipeline.frame(frame.image) for frame in shown]))
        clips = [pictures.asset(name) for name in pictures.CLIPS]
        return _timed(lambda: sum(_peer_clip(str(clip), pipeline) for clip in clips))

    return lambda task: {**run(task), "faces": pipeline.faces}


def _peer_clip(path: str, pipeline: PeerPipeline) -> int:
    capture = cv2.VideoCapture(path)
    frames = 0
    while True:
        found, image = capture.read()
        if not found:
            capture.release()
            return frames
        pipeline.frame(image)
        frames += 1


def _timed(work: Callable[[], int]) -> dict[str, Any]:
    began = time.perf_counter()
    frames = work()
    seconds = time.perf_counter() - began
    return {"frames": frames, "seconds": round(seconds, 4)}


def _folder(args: argparse.Namespace) -> Path:
    return ours.STATE / f"list-{args.templates}"


SIDES: dict[str, Callable[[argparse.Namespace], Pass]] = {
    "ours": _ours,
    "peer": _peer,
    "searching": lambda args: long_list.searching(args.templates, PROBES),
    "writing": lambda args: long_list.writing(args.templates, _folder(args)),
    "serving": lambda args: long_list.serving(_folder(args)),
}

if __name__ == "__main__":
    main()
