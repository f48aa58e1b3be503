"""Plays many timelines, several side by side, each from a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from tests.faults.judge import Verdict, judge
from tests.faults.play import Prepared
from tests.faults.timelines import Timeline

ATTEMPTS = 3
"""At a timeline that is void, since the machine was busy."""


def play_all(
    plan: Sequence[Timeline],
    folder: Path,
    footage: Path,
    workers: int,
    world: type[Prepared] = Prepared,
) -> Iterator[Verdict]:
    """Verdicts as they come; what was recorded is in `folder`."""
    prepared = world(folder / "prepared", footage)
    prepared.make()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        asked = [pool.submit(play_one, one, folder / one.name, prepared) for one in plan]
        try:
            for future in as_completed(asked):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # whoever stops waits for no others


def play_one(timeline: Timeline, folder: Path, prepared: Prepared) -> Verdict:
    """Play, write down and judge one timeline; again, when it was void."""
    attempt, void = 0, "not yet"
    while void and attempt < ATTEMPTS:
        attempt += 1
        recording = prepared.player(timeline, folder).record()
        recording.write(folder / "recording.json")
        verdict = judge(recording)
        void = verdict.void
    return replace(verdict, figures={**verdict.figures, "attempts": attempt})
