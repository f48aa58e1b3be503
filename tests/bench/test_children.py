from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.children import Worker


@pytest.mark.slow
def test_a_process_of_its_own_searches_a_short_list_exactly():
    with Worker("searching", threads=1, templates=2000) as worker:
        worker.ready()
        found = worker.ask()
    assert set(found["bands"]) > {"new pictures", "strangers", "0.50 to 0.60"}
    for band in found["bands"].values():
        assert band["top1_agreement"] == band["margin_agreement"] == 1.0
        assert (band["too_high"], band["best_over_0_5_missed"]) == (0, 0)
        assert 0 < band["p50_ms"] <= band["p99_ms"]


@pytest.mark.slow
def test_a_list_is_read_served_and_changed_in_a_process_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)
    for side in ("writing", "serving"):
        with Worker(side, threads=1, templates=2000) as worker:
            worker.ready()
            found = worker.ask()
    assert found["start_s"] > 0
    assert 0 < found["rss_mb"] <= found["swap_peak_mb"] <= worker.peak_mb


@pytest.mark.slow
def test_a_process_that_ends_early_is_an_error_and_not_a_wait(monkeypatch):
    monkeypatch.setenv("BODYCAM_PEER_DETECTOR", "no-such-network.onnx")
    with (
        Worker("peer", threads=1, templates=10) as worker,
        pytest.raises(RuntimeError, match="the peer side ended early, with code 1"),
    ):
        worker.ready()
