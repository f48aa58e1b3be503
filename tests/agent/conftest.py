"""Brokers for whatever talks to one: the embedded one, and mosquitto when it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broker import MOSQUITTO, Broker
from tests.support.recording_broker import RecordingBroker


@pytest.fixture(
    params=[pytest.param(kind, marks=pytest.mark.slow) for kind in ("amqtt", "mosquitto")]
)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """Not started yet, with its port chosen."""
    if request.param == "mosquitto" and MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
    broker = Broker(request.param, tmp_path)
    broker.reserve()
    yield broker
    broker.stop()


@pytest.fixture
def recording_broker() -> Iterator[RecordingBroker]:
    broker = RecordingBroker()
    yield broker
    broker.go_down()
