from __future__ import annotations

import pytest

from tests.bench.children import Worker


@pytest.mark.slow
def test_a_process_of_its_own_searches_a_short_list_exactly():
    with Worker("watchlist", threads=1, templates=2000) as worker:
        worker.ready()
        found = worker.ask()
    assert found["top1_agreement"] == 1.0
    assert found["strangers"] == 1.0
    assert 0 < found["search_p50_ms"] <= found["search_p99_ms"]
    assert 0 < found["rss_mb"] <= worker.peak_mb


@pytest.mark.slow
def test_a_process_that_ends_early_is_an_error_and_not_a_wait(monkeypatch):
    monkeypatch.setenv("BODYCAM_PEER_DETECTOR", "no-such-network.onnx")
    with (
        Worker("peer", threads=1, templates=10) as worker,
        pytest.raises(RuntimeError, match="the peer side ended early, with code 1"),
    ):
        worker.ready()
