"""Metrics for node_exporter."""

from __future__ import annotations

import json
import re

from agent.delivery.prometheus import metrics_text
from agent.messages.catalogue import examples
from agent.messages.health import HealthMessage

HEALTH = HealthMessage.model_validate(json.loads(examples()["health.json"]))
_SAMPLE = re.compile(r'bodycam_[a-z_]+(\{[a-z]+="[^"\\\n]*"\})? -?[0-9.]+(e[+-]?\d+)?')


def samples(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_every_line_is_one_of_the_format() -> None:
    text = metrics_text(HEALTH, now=1_772_368_500.25)
    assert text.endswith("\n")
    for line in text.splitlines():
        assert _SAMPLE.fullmatch(line) or re.match(r"# (HELP|TYPE) bodycam_[a-z_]+ ", line), line
    told = samples(text)
    assert told["bodycam_health_time_seconds"] == 1_772_368_500
    assert told["bodycam_armed"] == 1
    assert told["bodycam_frames_processed"] == 600
    assert told['bodycam_faces_per_minute{bin="10-29"}'] == 1
    assert told['bodycam_detect_milliseconds{quantile="0.95"}'] == 50
    assert told["bodycam_watchlist_age_seconds"] == 93_600
    assert told["bodycam_clock_synchronised"] == 1


def test_each_metric_is_described_once_before_its_samples() -> None:
    described: set[str] = set()
    for line in metrics_text(HEALTH, now=0.0).splitlines():
        if line.startswith("# TYPE"):
            name = line.split()[2]
            assert name not in described
            described.add(name)
        elif not line.startswith("#"):
            assert re.split(r"[{ ]", line)[0] in described


def test_what_is_not_known_is_left_out() -> None:
    bare = HEALTH.model_copy(
        update={
            "watchlist": None,
            "clock": "unknown",
            "temperature_c": None,
            "battery": None,
            "governor": None,
        }
    )
    told = samples(metrics_text(bare, now=0.0))
    names = {name.split("{")[0] for name in told}
    assert "bodycam_temperature_celsius" not in names
    assert "bodycam_detections_per_second" not in names
    assert not names & {"bodycam_watchlist_version", "bodycam_clock_synchronised"}
