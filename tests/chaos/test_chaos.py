"""A few minutes' worth of chaos in one: what `make chaos` does at length, with what is there.

Without mosquitto the embedded broker stands in; without libfaketime no clock jumps; without the
right to mount no disk is filled. The counts that are printed say so.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.chaos.backlog import backlog
from tests.chaos.run import Goal, run
from tests.chaos.world import Cast

pytestmark = pytest.mark.slow


def test_every_alert_arrives_once_while_everything_fails(tmp_path: Path) -> None:
    goal = Goal(alerts=60, cuts=10, kills=30, limit_s=900.0, pause_s=0.25)
    verdict = run(tmp_path / "chaos", Cast(seed=7), goal)
    print(json.dumps(verdict.counts, indent=2))
    assert verdict.broken == []
    assert verdict.counts["kills"] >= goal.kills
    assert verdict.counts["raised"] >= goal.alerts


def test_two_hours_offline_arrive_in_order_and_live_alerts_pass_them(tmp_path: Path) -> None:
    assert backlog(tmp_path / "backlog", Cast(), 120) == 0
    figures = json.loads((tmp_path / "chaos-backlog.json").read_text())
    assert figures["received_distinct"] == 120
    assert figures["in_flight_most"] <= 20
