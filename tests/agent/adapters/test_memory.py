from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agent.adapters.memory import rss_peak_mb


def test_the_high_water_mark_is_in_megabytes(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("VmPeak:  999999 kB\nVmHWM:\t  250000 kB\nVmRSS:  1 kB\n")
    assert rss_peak_mb(status) == pytest.approx(256.0)


def test_it_sees_what_this_process_uses() -> None:
    before = rss_peak_mb()
    block = np.ones(64_000_000, np.uint8)
    after = rss_peak_mb()
    assert after >= before
    assert after > block.nbytes / 1e6


def test_without_proc_it_still_answers(tmp_path: Path) -> None:
    assert rss_peak_mb(tmp_path / "gone") > 1.0
