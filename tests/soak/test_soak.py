"""That a soak goes as it should, up to its first alert at the hub. Nothing of it is judged flat."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.clock import COMPILER
from tests.soak.reel import reel
from tests.soak.run import Shift, run
from tests.support.broker import MOSQUITTO

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not COMPILER, reason="needs a C compiler: apt-get install gcc"),
    pytest.mark.skipif(not MOSQUITTO, reason="needs mosquitto: apt-get install mosquitto"),
]


def test_an_alert_arrives_in_faster_time(tmp_path: Path, models_dir: Path, footage: Path) -> None:
    """For an hour of the device at most; a quiet machine needs three minutes of it."""
    pictures = reel(tmp_path / "reel", footage, ("walk-up",))
    recorded = run(
        tmp_path / "soak", pictures, models_dir.parent, Shift(1.0, 12.0, seed=1),
        lambda counts: counts.get("alerts", 0) > 0,
    )  # fmt: skip
    assert recorded["died"] == []
    assert set(recorded["codes"].values()) == {0}
    raised = recorded["report"]["alerts"]["raised"]
    assert recorded["hub_events"] >= raised > 0
    assert recorded["report"]["alerts"]["pending"] == 0
    sample = recorded["samples"][-1]
    for who in ("agent", "camera", "hub", "broker", "link"):
        assert sample[who]["anon_mb"] > 0
        assert sample[who]["fds"] > 2
    assert sample["disk"]["state_mb"] > 0
