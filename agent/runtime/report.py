"""The run report: what a run did, in counts and latencies. DESIGN section 3 fixes the keys."""

from __future__ import annotations

from typing import Any

from agent.ports import Gallery, ModelIdentity
from agent.runtime.capture_loop import CaptureLoop
from agent.runtime.delivery_loop import DeliveryLoop
from agent.runtime.latency import Reservoir
from agent.runtime.pipeline_loop import PipelineLoop
from agent.values import Monotonic


def run_report(
    capture: CaptureLoop,
    pipeline: PipelineLoop,
    delivery: DeliveryLoop,
    *,
    models: tuple[ModelIdentity, ModelIdentity],
    displaced: int,
    rss_peak_mb: float,
    now: Monotonic,
) -> dict[str, Any]:
    """The report as JSON values.

    Every frame that the source gave is processed or dropped: passed by in the camera, displaced
    by a newer one, or let go because the device was disarmed.

    Args:
        capture: its loop, at work or ended, like the next two.
        pipeline: its loop.
        delivery: its loop.
        models: detector and embedder.
        displaced: frames displaced in the mailbox.
        rss_peak_mb: largest resident memory so far, megabytes.
        now: monotonic seconds.
    """
    tally, status = pipeline.tally, delivery.status
    dropped = displaced + capture.unwatched + capture.passed_by + tally.dropped
    acks = Reservoir()
    for seconds in delivery.latencies_s():
        acks.add(seconds * 1000.0)
    return {
        "frames": {
            "read": capture.read + capture.passed_by,
            "processed": tally.processed,
            "dropped": dropped,
        },
        "faces": tally.faces,
        "tracks": tally.tracks,
        "subjects": tally.subjects,
        "embeddings": tally.embeddings,
        "searches": tally.searches,
        "alerts": {
            "raised": tally.raised,
            "delivered": status.delivered,
            "pending": status.pending,
        },
        "fps": round(tally.fps, 2),
        "latency_ms": {**tally.latencies.summary(), "alert_to_ack": acks.summary()},
        "rss_peak_mb": round(rss_peak_mb, 1),
        "models": {
            "detector": _identity(models[0]),
            "embedder": _identity(models[1]),
        },
        "watchlist": _watchlist(pipeline.gallery),
        "threshold": tally.threshold,
        "armed_seconds": round(tally.armed_seconds(now=now), 3),
    }


def _identity(model: ModelIdentity) -> dict[str, str]:
    return {"name": model.name, "precision": model.precision, "sha256": model.sha256}


def _watchlist(gallery: Gallery) -> dict[str, Any]:
    return {
        "id": gallery.ref.id,
        "version": gallery.ref.version,
        "subjects": gallery.subjects,
        "templates": gallery.templates,
    }
