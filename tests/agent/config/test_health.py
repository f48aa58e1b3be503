"""What the device tells of itself, in the configuration."""

from __future__ import annotations

import pytest

from agent.config import parse
from agent.errors import ConfigError


def test_defaults_tell_the_agency_only() -> None:
    health = parse().health
    assert (health.every_s, health.prometheus_file, health.home_assistant) == (60.0, "", False)


@pytest.mark.parametrize(
    "setting",
    [
        "health.every_s=9",
        "health.prometheus_file=bodycam.prom",
        "health.prometheus_file=/var/lib/metrics/bodycam.txt",
        "health.home_assistant=homeassistant/",
    ],
)
def test_what_would_not_work_is_told_with_its_path(setting: str) -> None:
    with pytest.raises(ConfigError, match=setting.partition("=")[0]):
        parse(overrides=(setting,))
