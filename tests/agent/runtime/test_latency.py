from __future__ import annotations

import pytest

from agent.runtime.latency import Latencies, Reservoir


def test_quantiles_are_nearest_ranks_and_the_maximum_is_exact() -> None:
    values = Reservoir()
    for value in range(1, 101):
        values.add(float(value))
    assert values.summary() == {"p50": 50.0, "p95": 95.0, "max": 100.0}


def test_memory_is_bounded_and_the_sample_stays_fair() -> None:
    values = Reservoir(size=512)
    for value in range(100_000):
        values.add(float(value))
    assert values.count == 100_000
    assert len(values._values) == 512
    summary = values.summary()
    assert summary["max"] == 99_999.0
    assert summary["p50"] == pytest.approx(50_000, abs=8_000)
    assert summary["p95"] == pytest.approx(95_000, abs=4_000)


def test_nothing_measured_is_zero() -> None:
    assert Reservoir().summary() == {"p50": 0.0, "p95": 0.0, "max": 0.0}


def test_latencies_are_in_milliseconds_by_name() -> None:
    latencies = Latencies(("detect", "track"))
    latencies.add_s("detect", 0.012)
    assert latencies.summary()["detect"] == {"p50": 12.0, "p95": 12.0, "max": 12.0}
    assert latencies.summary()["track"]["max"] == 0.0
    with pytest.raises(KeyError):
        latencies.add_s("guess", 1.0)
