"""`python -m tests.stories.speed`: how fast scenes are drawn and compressed, on one core.

Processor time of one thread, so that other work on the machine counts little, of frames spread over
each story, after the first one (textures and clothes are made then). Writes build/render.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import cv2

from firmware_sim.footage import quieten_decoders
from firmware_sim.player import Encoder
from firmware_sim.scene.scene import Scene
from firmware_sim.story.loading import load_story, story_names
from firmware_sim.story.staging import stage
from tests.demo.stage import ROOT

OUT = ROOT / "build" / "render.json"


def measure(name: str, frames: int, footage: Path) -> dict[str, Any]:
    """Milliseconds a frame, and what that is in frames/s."""
    story = load_story(name)[1]
    setup = stage(story)
    scene, encode = Scene(setup, footage), Encoder(story.camera.jpeg_quality)
    every = max(1, setup.frames // frames)
    scene.frame(0)
    spent = []
    for number in range(0, setup.frames, every):
        began = time.process_time()
        encode(scene.frame(number)[0])
        spent.append((time.process_time() - began) * 1000)
    spent.sort()
    return {
        "size": f"{setup.width}x{setup.height}",
        "ms_median": round(median(spent), 1),
        "ms_p95": round(spent[int(len(spent) * 0.95) - 1], 1),
        "frames_per_s": round(1000 / median(spent), 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=40, help="of each story")
    parser.add_argument("--footage", type=Path, default=ROOT / "build" / "assets")
    options = parser.parse_args()
    quieten_decoders()
    cv2.setNumThreads(1)
    results = {}
    for name in story_names():
        results[name] = measure(name, options.frames, options.footage)
        print(f"{name:22} {results[name]}", flush=True)
    OUT.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
