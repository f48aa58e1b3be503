"""Counts of a run. Counts only: nothing in it grows with time or singles anybody out."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.pipeline import STAGES, StepResult
from agent.runtime.latency import Latencies
from agent.values import Monotonic


@dataclass(slots=True)
class Tally:
    """What the pipeline has done. Written by its thread, read by any.

    Attributes:
        processed: frames looked at or predicted through.
        dropped: frames that reached the pipeline while disarmed.
        faces, tracks, embeddings, searches: totals.
        subjects: people who were in sight long enough to be judged.
        raised: events committed, updates included.
        armed_s: seconds armed, up to the last disarming.
        threshold: similarity in force, or in force last.
        latencies: of the stages.
        busy_s: seconds spent on frames.
        followed: people followed in the latest frame.
        began, ended: monotonic seconds of the first and the latest processed frame.
    """

    processed: int = 0
    dropped: int = 0
    faces: int = 0
    tracks: int = 0
    embeddings: int = 0
    searches: int = 0
    subjects: int = 0
    raised: int = 0
    armed_s: float = 0.0
    threshold: float | None = None
    busy_s: float = 0.0
    followed: int = 0
    latencies: Latencies = field(default_factory=lambda: Latencies(STAGES))
    began: Monotonic | None = None
    ended: Monotonic | None = None
    _armed_since: Monotonic | None = None

    def step(self, result: StepResult, *, began: Monotonic, ended: Monotonic) -> None:
        """Count one frame that was processed between these two times."""
        self.processed += 1
        self.faces += result.faces
        self.tracks += result.started
        self.subjects += result.subjects
        self.embeddings += result.embeddings
        self.searches += result.searches
        self.busy_s += ended - began
        self.followed = len(result.tracks)
        for stage in STAGES:
            seconds = getattr(result.timings, stage)
            if seconds is not None:
                self.latencies.add_s(stage, seconds)
        self.began = began if self.began is None else self.began
        self.ended = ended

    def armed(self, *, now: Monotonic) -> None:
        if self._armed_since is None:
            self._armed_since = now

    def disarmed(self, *, now: Monotonic) -> None:
        self.followed = 0
        if self._armed_since is not None:
            self.armed_s += now - self._armed_since
            self._armed_since = None

    def armed_seconds(self, *, now: Monotonic) -> float:
        since = self._armed_since
        return self.armed_s + (now - since if since is not None else 0.0)

    @property
    def fps(self) -> float:
        """Processed frames per second, from the start of the first to the end of the last."""
        if self.began is None or self.ended is None or self.ended <= self.began:
            return 0.0
        return self.processed / (self.ended - self.began)
