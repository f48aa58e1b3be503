"""The agent's side: its own models, gallery and pipeline, put together as the agent does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.adapters.cameras.factory import open_camera
from agent.adapters.clock import SystemClock
from agent.adapters.gallery import ListGallery, build_gallery
from agent.app import Context
from agent.config import CameraConfig, Config, WatchlistConfig
from agent.messages.ids import new_ulid
from agent.pipeline.pipeline import Pipeline
from agent.pipeline.settings import Activation, PipelineSettings
from agent.ports import Detector, Embedder
from agent.runtime.mailbox import Mailbox
from agent.stages.decide import DecisionRule
from agent.values import Frame, Vectors, Wall
from agent.watchlist.columns import StoredList, from_entries
from agent.watchlist.entries import EntryMeta, Kind, Provenance

STATE = Path("build/bench/state")
RULE = DecisionRule(min_shots=3, threshold=0.6, margin=0.05)
"""A policy for the benchmark alone: no threshold is honest for 300,000 templates of nobody."""
NOWHERE = "0" * 64
IDLE_S = 60.0
WHOLE_PICTURE = "detection.min_face_px=12"
"""Wanting faces so small makes the detector work at the picture's own size, as the peer does."""


@dataclass(frozen=True, slots=True)
class Networks:
    """Both networks, and the configuration that they were made with."""

    detector: Detector
    embedder: Embedder
    config: Config

    @property
    def precision(self) -> str:
        both = (self.detector.identity.precision, self.embedder.identity.precision)
        return both[0] if both[0] == both[1] else f"{both[0]} detector, {both[1]} embedder"


def networks(precision: str, threads: int, *settings: str) -> Networks:
    """The agent's networks at a precision; `auto` is what its own measurement picks.

    Args:
        settings: further `section.key=value`.
    """
    asked = (f"models.precision={precision}", f"models.threads={threads}", *settings)
    context = Context(STATE, None, asked)
    models = context.models()
    return Networks(models.detector, models.embedder, context.config)


def stored(vectors: Vectors, name: str = "bench") -> StoredList:
    """A list with one entry and one subject to each template."""
    origin = (Provenance(NOWHERE, Kind.DISTRACTOR, NOWHERE),)
    metas = [
        EntryMeta(
            entry=f"{name}-{number:07d}",
            subject=f"{name}-{number:07d}",
            basis="distractor",
            purpose="distractor",
            authorisation="BENCH",
            not_after=4e9,
        )
        for number in range(len(vectors))
    ]
    return StoredList("bench", 1, "bench", from_entries(metas, [origin] * len(metas), vectors))


def gallery(vectors: Vectors, threads: int) -> ListGallery:
    """Such a list as it serves at once: exactly."""
    listed, now = stored(vectors), Wall(time.time())
    return build_gallery(listed, now=now, config=WatchlistConfig(), threads=threads)


def play(frames: Iterable[Frame], made: Networks, listed: ListGallery, rate_hz: float) -> int:
    """Take frames through a new, armed pipeline; how many there were.

    Args:
        rate_hz: detections per second of footage at most; 0 looks at every frame.
    """
    detection = made.config.detection.model_copy(update={"max_rate_hz": rate_hz})
    config = made.config.model_copy(update={"detection": detection})
    pipeline = Pipeline(
        made.detector,
        made.embedder,
        listed,
        PipelineSettings.of(config),
        new_id=lambda wall: new_ulid(wall_s=wall, randomness=bytes(10)),
        timer=time.perf_counter,
    )
    pipeline.arm(Activation("bench", lambda _templates: RULE, cooldown_s=60.0, test=True))
    count = 0
    for frame in frames:
        pipeline.step(frame)
        count += 1
    pipeline.close()
    return count


def footage(path: Path) -> Iterator[Frame]:
    """Every frame of a video, read and decoded on a thread of its own as in `run --pace max`."""
    mailbox: Mailbox[None] = Mailbox(live=False)
    reader = threading.Thread(target=_read, args=(path, mailbox), daemon=True)
    reader.start()
    while not (found := mailbox.take(IDLE_S)).ended:
        if found.frame is not None:
            yield found.frame
    reader.join()


def _read(path: Path, mailbox: Mailbox[None]) -> None:
    camera = open_camera(str(path), CameraConfig(), SystemClock(), pace="max")
    try:
        camera.open()
        while (frame := camera.read()) is not None:
            mailbox.put(frame)
    finally:
        camera.close()
        mailbox.end()
