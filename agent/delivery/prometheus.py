"""The health message as metrics, in the text format of Prometheus 0.0.4, for node_exporter's
textfile collector (prometheus.io/docs/instrumenting/exposition_formats).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.messages.health import HealthMessage, Latency


@dataclass(frozen=True, slots=True)
class _Metric:
    name: str
    help: str
    samples: tuple[tuple[str, float], ...]
    """(labels with their braces, or nothing; value)"""


def metrics_text(health: HealthMessage, *, now: float) -> str:
    """The whole file. What is not known is left out.

    Args:
        health: see `HealthMessage`; its counts are gauges here, since the message before.
        now: wall-clock seconds of the message.
    """
    lines: list[str] = []
    for metric in _metrics(health, now):
        if metric.samples:
            lines += [f"# HELP bodycam_{metric.name} {metric.help}"]
            lines += [f"# TYPE bodycam_{metric.name} gauge"]
        lines += [f"bodycam_{metric.name}{labels} {value:.10g}" for labels, value in metric.samples]
    return "\n".join(lines) + "\n"


def _metrics(health: HealthMessage, now: float) -> Iterator[_Metric]:
    listed, link = health.watchlist, health.link
    yield _one("health_time_seconds", "When this was written, Unix time.", now)
    yield _Metric("info", "Version of the agent.", ((f'{{version="{health.version}"}}', 1.0),))
    yield _Metric("state", "What the device does.", ((f'{{state="{health.state}"}}', 1.0),))
    yield _one("armed", "Whether it matches.", health.armed)
    yield _one("session", "Number of this start.", health.session)
    yield _one("uptime_seconds", "Since this start.", health.uptime_s)
    frames = health.frames
    yield _one("frames_processed", "Since the message before, in hundreds.", frames.processed)
    yield _one("frames_dropped", "Since the message before, in hundreds.", frames.dropped)
    faces = f'{{bin="{health.faces_per_minute}"}}'
    yield _Metric("faces_per_minute", "The bin that the rate is in, blurred.", ((faces, 1.0),))
    yield _latency("detect", "Finding faces in a frame.", health.latency_ms.detect)
    yield _latency("alert_to_ack", "From alert to confirmation.", health.latency_ms.alert_to_ack)
    yield _one("temperature_celsius", "Of the board.", health.temperature_c)
    battery = health.battery.percent if health.battery else None
    yield _one("battery_percent", "Charge left.", battery)
    rate = health.governor.rate_hz if health.governor else None
    yield _one("detections_per_second", "At most, as far as battery and heat go; 0: all.", rate)
    yield _one("disk_free_megabytes", "Where the state is kept.", health.disk.free_mb)
    reserve = f'{{state="{health.disk.reserve}"}}'
    yield _Metric("disk_reserve", "What is set aside for a full disk.", ((reserve, 1.0),))
    yield _one("memory_peak_megabytes", "Resident, in steps of 16.", health.memory_mb)
    yield _one("outbox_waiting", "Events on disk, parked ones included.", health.outbox.waiting)
    yield _one("outbox_parked", "Events refused for good.", health.outbox.parked)
    yield _one("outbox_given_up", "Events lost and not yet reported.", health.outbox.given_up)
    yield _one("watchlist_version", "Of the list in service.", listed.version if listed else None)
    yield _one(
        "watchlist_age_seconds", "Since the agency made it.", listed.age_s if listed else None
    )
    yield _one("certificate_days", "Until our own ends.", link.certificate_days)
    yield _one("broker_certificate_days", "Until the broker's ends.", link.broker_certificate_days)
    rejected = health.false_alerts.rejected if health.false_alerts else None
    yield _one("false_alerts_rejected", "By reviewers, since the monitor was reset.", rejected)
    synchronised = None if health.clock == "unknown" else health.clock == "synchronised"
    yield _one("clock_synchronised", "By a time server.", synchronised)


def _one(name: str, text: str, value: float | None) -> _Metric:
    return _Metric(name, text, () if value is None else (("", float(value)),))


def _latency(name: str, text: str, found: Latency | None) -> _Metric:
    samples: tuple[tuple[str, float], ...] = ()
    if found is not None:
        samples = (('{quantile="0.5"}', found.p50), ('{quantile="0.95"}', found.p95))
    return _Metric(f"{name}_milliseconds", f"{text} Since the start, in steps.", samples)
