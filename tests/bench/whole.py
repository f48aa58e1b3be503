"""The whole way from frames to searched faces, and the list of 300,000 alone."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any

from agent.config import Config
from tests.bench.children import Worker
from tests.bench.peer import opencv, peer_files
from tests.bench.results import Comparison
from tests.bench.timing import Spread, alternate

Measured = tuple[dict[str, Comparison], dict[str, Any]]

EVERY_FRAME, SAME_WORK = "_every_frame", "_same_work"
"""Variants of ours: no limit to the rate of detections; and that at the picture's own size too."""

HOW = {
    "footage": (
        "end_to_end_360p_300k: single_face.mp4 and WolfgangLanger_Pexels.mp4, 640x360, decoding "
        "included, 300,000 templates (a figure of speed only). Ours: agent.pipeline on one "
        "thread, decoding on another through the runtime's mailbox, at the default settings: "
        "detections at most 10 a second of footage, in pictures shrunk as far as faces of 24 px "
        "allow (`_every_frame`: detection on every frame; `_same_work`: on every frame at its own "
        "size). Peer: read, detect, align, embed and search every face of every frame with an "
        "exact product, one after the other."
    ),
    "crowd": (
        "crowd_1080p_100: 100 faces of a few people in a swaying 1920x1080 picture, no decoding, "
        "300,000 templates. Ours: agent.pipeline over 3 s of it, variants as above. Peer: every "
        "face of every frame."
    ),
}


class Sides:
    """Both sides, each in a process of its own, started when first needed; a context manager.

    Args:
        threads: of each.
        templates: on the list; other than 300,000 only to try things out.
    """

    def __init__(self, threads: int, templates: int = 300_000) -> None:
        self.threads = threads
        self._templates = templates
        self._open = ExitStack()
        self._pair: tuple[Worker, Worker] | None = None

    def __enter__(self) -> Sides:  # noqa: PYI034 - typing.Self came with 3.11
        return self

    def __exit__(self, *_error: object) -> None:
        self._open.close()

    def pair(self) -> tuple[Worker, Worker]:
        """Ours and the peer's, ready to run."""
        if self._pair is None:
            workers = [
                Worker(side, threads=self.threads, templates=self._templates)
                for side in ("ours", "peer")
            ]
            for worker in workers:
                self._open.enter_context(worker)
            for worker in workers:
                worker.ready()
            self._pair = (workers[0], workers[1])
        return self._pair


def end_to_end(name: str, task: str, sides: Sides, rounds: int) -> Measured:
    """Frames per second of both sides, and the peak memory of their processes until now."""
    rate = Config().detection.max_rate_hz
    ours, peer = sides.pair()
    precision = ours.ask(task=task, rate_hz=rate)["precision"]
    spreads = alternate(
        {
            "": lambda: ours.fps(task=task, rate_hz=rate),
            "peer": lambda: peer.fps(task=task),
            EVERY_FRAME: lambda: ours.fps(task=task, rate_hz=0),
            SAME_WORK: lambda: ours.fps(task=task, rate_hz=0, full_size=True),
        },
        rounds=rounds,
        warm_up=0,
    )
    described = partial(_compare, threads=sides.threads, precision=precision, how=HOW[task])
    compared = {
        f"{name}{variant}": described(spreads[variant], spreads["peer"])
        for variant in ("", EVERY_FRAME, SAME_WORK)
    }
    return compared, {f"{name}_rss_peak_mb": {"ours": ours.peak_mb, "peer": peer.peak_mb}}


def watchlist() -> Measured:
    """Search, start and change of a list of 300,000 on one thread, and the same of 1,000,000.

    The search figures are those of new pictures of people on the list; beside them, for 300,000,
    all bands of similarity, batches, caches full of something else, and how the list is searched.
    """
    found, beside = _long_list(300_000)
    large, large_beside = _long_list(1_000_000, bands=False)
    detail = {"watchlist_300k_detail": beside, "watchlist_1m": {**large, **large_beside}}
    return {}, {"watchlist_300k": found, **detail}


def _long_list(templates: int, *, bands: bool = True) -> tuple[dict[str, float], dict[str, Any]]:
    searched = _pass("searching", templates, bands=bands)
    _pass("writing", templates)
    served = _pass("serving", templates)
    new = searched["bands"]["new pictures"]
    found = {f"search_{name}": new[name] for name in ("p50_ms", "p99_ms")}
    found["top1_agreement"] = new["top1_agreement"]
    found |= {name: served.pop(name) for name in ("start_s", "rss_mb", "swap_peak_mb")}
    return found, {**searched, **served}


def _pass(side: str, templates: int, **task: Any) -> dict[str, Any]:
    with Worker(side, threads=1, templates=templates) as worker:
        worker.ready()
        return worker.ask(**task)


def _compare(ours: Spread, peer: Spread, *, threads: int, precision: str, how: str) -> Comparison:
    detector, embedder = (path.name for path in peer_files())
    return Comparison(
        ours,
        peer,
        opencv("FaceDetectorYN", "FaceRecognizerSF", "numpy"),
        f"{detector}, {embedder}",
        "frames/s",
        threads,
        precision,
        how,
    )
