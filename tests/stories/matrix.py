"""`make matrix`: how often a listed person is found, by distance, light and motion.

A cell is some trials: one listed person before the camera for 2.4 seconds, then nobody for a
while. All trials of a run go to one agent with its default settings, but for the cool-down. Writes
build/stories-matrix.json and prints the table of the README.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any

import numpy as np

from firmware_sim.player import Encoder
from firmware_sim.scene.cast import cast_names, may_be_listed
from firmware_sim.scene.scene import Scene
from firmware_sim.story.format import Story
from firmware_sim.story.staging import stage
from tests.demo.stage import ROOT
from tests.stories.camera import Shot
from tests.stories.play import Play

OUT = ROOT / "build" / "stories-matrix.json"
LISTED = {"E-1": "p01", "E-2": "p02"}
SECONDS, FPS, PAUSE_S = 2.4, 10.0, 3.0
SIZES = ((1280, 720), (1920, 1080))
SMALL: Mapping[str, float] = {"recognition.min_face_px": 16, "detection.min_face_px": 12}
"""Settings that look at smaller faces than is usual, where it costs time and certainty."""
NEAR_M = 2.0
"""Where light and motion are compared."""
_STAND = ({"at": 0, "gait": "stand"},)


@dataclass(frozen=True)
class Cell:
    """A condition.

    Attributes:
        group: distance, light or motion.
        name: of the condition.
        size: width, height.
        metres: from the camera, at the beginning and at the end.
        fields: of the story: camera, light, rain.
        look: of the person, degrees away from the camera.
        aside_m: the person moves so far to the side.
    """

    group: str
    name: str
    size: tuple[int, int]
    metres: tuple[float, float]
    fields: Mapping[str, Any] = field(hash=False)
    look: float | None = None
    aside_m: float = 0.0


def cells() -> list[Cell]:
    found = [
        Cell("distance", f"{metres} m", size, (metres, metres), {"light": {"kind": "overcast"}})
        for size in SIZES
        for metres in range(1, 11)
    ]
    lights: dict[str, dict[str, Any]] = {
        kind: {"light": {"kind": kind}}
        for kind in ("day", "overcast", "backlit", "dusk", "night", "dark")
    }
    lights["dark, infrared lamp"] = {"light": {"kind": "dark"}, "camera": {"infrared": True}}
    lights["heavy rain"] = {"light": {"kind": "overcast"}, "rain": 0.9}
    near = (NEAR_M, NEAR_M)
    found += [Cell("light", name, SIZES[0], near, fields) for name, fields in lights.items()]
    for gait in ("stand", "walk", "run"):
        for kind in ("day", "dusk"):
            fields = {"light": {"kind": kind}, "camera": {"motion": [{"at": 0, "gait": gait}]}}
            found.append(Cell("motion", f"officer: {gait}, {kind}", SIZES[0], near, fields))
    day = {"light": {"kind": "day"}}
    found += [
        Cell("motion", "person comes nearer, 4 to 1.5 m", SIZES[0], (4.0, 1.5), day),
        Cell("motion", "person crosses, 2 m in 2.4 s", SIZES[0], near, day, aside_m=2.0),
        Cell("motion", "face turned by 30 degrees", SIZES[0], near, day, look=30.0),
        Cell("motion", "face turned by 50 degrees", SIZES[0], near, day, look=50.0),
    ]
    return found


def trial(
    cell: Cell, who: str, number: int, settings: Mapping[str, float] = MappingProxyType({})
) -> Story:
    """One person, somewhere near the middle, with other clothes each time."""
    rng = np.random.default_rng((number, int(who[1:])))
    left = float(rng.uniform(-0.25, 0.25)) * cell.metres[0] - cell.aside_m / 2
    entry = next((e for e, listed in LISTED.items() if listed == who), "")
    person = {
        "who": who,
        "entry": entry,
        "path": [
            (0, left, cell.metres[0]),
            (SECONDS, left * cell.metres[1] / cell.metres[0] + cell.aside_m, cell.metres[1]),
        ],
        "outfit": int(rng.integers(0, 60)),
        "height_m": float(rng.uniform(1.6, 1.85)),
    }
    if cell.look is not None:
        person["look"] = [(0, cell.look), (SECONDS, cell.look)]
    absent = {e: listed for e, listed in LISTED.items() if e != entry}
    camera = {
        "width": cell.size[0], "height": cell.size[1], "fps": FPS,
        **cell.fields.get("camera", {}),
    }  # fmt: skip
    return Story.model_validate(
        {
            "title": cell.name, "seed": 1000 * number + int(who[1:]), "seconds": SECONDS,
            "people": [person], "list": {"absent": absent}, **cell.fields, "camera": camera,
            "settings": {"decision.cooldown_s": 1, **settings}, "expect": {"found_at_least": 0},
        }
    )  # fmt: skip


class Trials(Play):
    """Many short stories as one, with pauses in which no picture comes."""

    def __init__(self, name: str, stories: list[Story], folder: Path, footage: Path) -> None:
        super().__init__(name, stories[0], folder, footage)
        self._run_s = 3600.0
        self._stories = stories
        whole = SECONDS + PAUSE_S
        head = {"frames": round(len(stories) * whole * FPS), "entries": LISTED}
        self._truth[0] |= head | {"identities": len({s.people[0].who for s in stories})}

    def _shots(self) -> Iterator[Shot]:
        for number, story in enumerate(self._stories):
            later_us = round(number * (SECONDS + PAUSE_S) * 1e6)
            setup = stage(story)
            named = tuple(replace(extra, name=f"{number}") for extra in setup.extras)
            scene = Scene(replace(setup, extras=named), self._footage)
            encode = Encoder(story.camera.jpeg_quality)
            for frame in range(setup.frames):
                image, truth = scene.frame(frame)
                line = truth.as_json()
                line["at_us"] += later_us
                self._truth.append(line)
                yield encode(image), truth.at_us + later_us


def measure(
    size: tuple[int, int], trials: int, times: int, footage: Path, *, small: bool = False
) -> dict[str, Any]:
    """Every cell of a size (only distances for small faces), and everybody who is not listed
    passing `times` times.
    """
    settings = SMALL if small else {}
    plan = [
        (cell, trial(cell, who, n, settings))
        for cell in cells()
        if cell.size == size and (cell.group == "distance" or not small)
        for n in range(trials // 2)
        for who in LISTED.values()
    ]
    near = Cell("strangers", "strangers", size, (NEAR_M, NEAR_M), {"light": {"kind": "day"}})
    rest = [who for who in cast_names() if not may_be_listed(who)]
    plan += [(near, trial(near, who, n)) for n in range(times) for who in rest]
    folder = ROOT / "build" / f"matrix-{size[1]}{'-small' if small else ''}"
    shutil.rmtree(folder, ignore_errors=True)
    play = Trials("matrix", [story for _, story in plan], folder, footage)
    score = play.run().score
    rows = {int(row["name"]): row for row in score["appearances"]}
    by_cell: dict[Cell, list[dict[str, Any] | None]] = {}
    for number, (cell, _) in enumerate(plan):
        by_cell.setdefault(cell, []).append(rows.get(number))
    del by_cell[near]
    return {
        "cells": [_row(cell, found, small) for cell, found in by_cell.items()],
        "passings": times * len(rest),
        "identities": len(rest),
        "false_alerts": score["false_alerts"]["count"],
        "tracks_per_person": score["tracks_per_person"],
    }


def _row(cell: Cell, rows: list[dict[str, Any] | None], small: bool) -> dict[str, Any]:
    seen = [row for row in rows if row is not None]
    found = [row for row in seen if row["found"]]
    return {
        "group": cell.group,
        "small_faces": small,
        "name": cell.name,
        "size": f"{cell.size[0]}x{cell.size[1]}",
        "trials": len(rows),
        "found": len(found),
        "by_entry": {entry: sum(row["entry"] == entry for row in found) for entry in LISTED},
        "face_px": round(median(row["widest_px"] for row in seen), 1) if seen else None,
        "time_to_alert_s": median(row["time_to_alert_s"] for row in found) if found else None,
    }


_SMALL = ", faces from 16 px"


def as_markdown(results: Mapping[str, Any]) -> str:
    """The table of the README."""
    rows = results["cells"]
    distances = [row for row in rows if row["group"] == "distance"]
    by = {(row["size"], row["small_faces"], row["name"]): row for row in distances}
    metres = list(dict.fromkeys(row["name"] for row in distances))
    lines = ["| distance | " + " | ".join(metres) + " |", "|---|" + "---|" * len(metres)]
    for size, small in dict.fromkeys((row["size"], row["small_faces"]) for row in distances):
        shown = [by[size, small, name] for name in metres]
        found = (f"{row['found']}/{row['trials']}" for row in shown)
        lines.append(f"| found, {size}{_SMALL if small else ''} | " + " | ".join(found) + " |")
        if not small:
            wide = ("–" if row["face_px"] is None else f"{row['face_px']:.0f}" for row in shown)
            lines.append("| face, px | " + " | ".join(wide) + " |")
    lines += ["", "| 2 m, 1280x720 | found | s to the alert |", "|---|---|---|"]
    for row in rows:
        if row["group"] in ("light", "motion"):
            late = row["time_to_alert_s"]
            soon = "–" if late is None else f"{late:.1f}"
            lines.append(f"| {row['name']} | {row['found']}/{row['trials']} | {soon} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=6, help="of each cell, half with each person")
    parser.add_argument("--passings", type=int, default=3, help="of each person not listed")
    parser.add_argument("--footage", type=Path, default=ROOT / "build" / "assets")
    options = parser.parse_args()
    arguments = (options.trials, options.passings, options.footage)
    with ProcessPoolExecutor(len(SIZES)) as pool:
        waiting = [pool.submit(measure, size, *arguments) for size in SIZES]
        waiting.append(pool.submit(measure, SIZES[0], *arguments, small=True))
        made = [one.result() for one in waiting]
    results = {
        "cells": [row for one in made for row in one["cells"]],
        "identities_listed": len(LISTED),
        "passings": sum(one["passings"] for one in made),
        "identities_not_listed": made[0]["identities"],
        "false_alerts": sum(one["false_alerts"] for one in made),
        "tracks_per_person": [one["tracks_per_person"] for one in made],
    }
    OUT.write_text(json.dumps(results, indent=2) + "\n")
    print(as_markdown(results))
    print(
        f"\n{results['false_alerts']} false alerts; {results['passings']} passings of "
        f"{results['identities_not_listed']} people who are not listed. build/stories-matrix.json"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
