"""What one step of the pipeline brought."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from agent.values import Alert, Decision, Track


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds spent in each stage; None for a stage that had nothing to do in this frame.

    Attributes:
        detect: the detector.
        track: camera motion and tracker.
        embed: cutting out, measuring and embedding faces.
        search: the watchlist.
        decide: verdicts and alerts.
        frame: the whole step.
    """

    detect: float | None = None
    track: float | None = None
    embed: float | None = None
    search: float | None = None
    decide: float | None = None
    frame: float | None = None


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of one frame.

    Attributes:
        armed: False when the frame was not looked at.
        looked: whether the detector ran; tracks are only predicted in between.
        faces: detections.
        tracks: every live track, ordered by id.
        started: tracks begun in this step.
        subjects: tracks that in this step became long enough, with enough shots, to count as
            somebody who passed.
        ended: ids of tracks that ended in this step and were wiped.
        embeddings, searches: counts of faces embedded and templates searched.
        decisions: verdicts reached in this step.
        alerts: what has to reach a human; first alerts and updates.
        timings: seconds.
    """

    armed: bool = True
    looked: bool = False
    faces: int = 0
    tracks: tuple[Track, ...] = ()
    started: int = 0
    subjects: int = 0
    ended: tuple[int, ...] = ()
    embeddings: int = 0
    searches: int = 0
    decisions: tuple[Decision, ...] = ()
    alerts: tuple[Alert, ...] = ()
    timings: Timings = Timings()


class Stopwatch:
    """Laps between stages, on a timer that is passed in (seconds)."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._began = self._lap = timer()
        self._timings = Timings()

    def lap(self, stage: str) -> None:
        """The time since the last lap went to `stage`."""
        now = self._timer()
        self._timings = replace(self._timings, **{stage: now - self._lap})
        self._lap = now

    def skip(self) -> None:
        """The time since the last lap goes to no stage."""
        self._lap = self._timer()

    def stop(self) -> Timings:
        return replace(self._timings, frame=self._timer() - self._began)


STAGES = tuple(item.name for item in fields(Timings))
"""Names of the stages, as in the run report."""
