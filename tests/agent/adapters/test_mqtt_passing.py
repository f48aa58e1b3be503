"""What nobody awaits: health, which is worth nothing later, and what the broker keeps for us."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.adapters.clock import SystemClock
from agent.adapters.mqtt import MqttSettings, MqttTransport
from agent.delivery import Backoff
from tests.support.delivery_world import Ears
from tests.support.receiver import wait_until
from tests.support.recording_broker import RecordingBroker

TOPICS = "bodycam/spd/cam-7"
SENSOR = "homeassistant/sensor/cam-7/state/config"


@pytest.fixture
def broker() -> Iterator[RecordingBroker]:
    broker = RecordingBroker()
    yield broker
    broker.go_down()


class Camera:
    def __init__(self, broker: RecordingBroker) -> None:
        settings = MqttSettings(
            host=broker.host, port=broker.port, topics=TOPICS, client_id="spd-cam-7",
            keepalive_s=30, connect_timeout_s=5.0, in_flight=2, backoff=Backoff(0.05, 0.1),
            probe_s=0.5,
        )  # fmt: skip
        self.transport = MqttTransport(
            settings, birth=b"birth", will=b"will", clock=SystemClock(), chance=lambda: 0.5
        )
        self.ears = Ears()


@pytest.fixture
def camera(broker: RecordingBroker) -> Iterator[Camera]:
    camera = Camera(broker)
    yield camera
    camera.transport.stop(None)


def on(broker: RecordingBroker, topic: str) -> list[bytes]:
    return [payload for heard, payload in broker.heard.publishes if heard == topic]


def test_health_goes_out_once_and_never_later(broker, camera) -> None:
    camera.transport.publish("health", b"before there is a connection")
    camera.transport.start(camera.ears)
    camera.ears.wait_for_link(True)
    camera.transport.publish("health", b"now")
    wait_until(lambda: on(broker, f"{TOPICS}/health") == [b"now"], "health")
    place = [topic for topic, _ in broker.heard.publishes].index(f"{TOPICS}/health")
    expiry = b"\x02" + (300).to_bytes(4, "big")
    assert broker.heard.properties[place] == expiry, "dropped after five minutes"
    broker.hang_up()
    camera.ears.wait_for_link(True, times=2)
    wait_until(lambda: len(on(broker, f"{TOPICS}/state")) == 2, "the birth of the second")
    assert on(broker, f"{TOPICS}/health") == [b"now"]


def test_while_the_broker_is_slow_only_the_newest_waits_behind_state_and_alerts(broker, camera):
    broker.behaviour.answers = False
    camera.transport.start(camera.ears)
    camera.ears.wait_for_link(True)  # the birth is the first of two that may be open
    camera.transport.send("id-1", "match", b"alert 1")
    camera.transport.send("id-2", "match", b"alert 2")
    for number in range(50):
        camera.transport.publish("health", b"health %d" % number)
    camera.transport.publish_state(b"state")
    broker.answer_all()
    wait_until(lambda: b"health 49" in on(broker, f"{TOPICS}/health"), "health")
    assert [payload for _, payload in broker.heard.publishes] == [
        b"birth", b"alert 1", b"state", b"alert 2", b"health 49",
    ]  # fmt: skip
    assert len(camera.ears.wait_for_results(2)) == 2, "nobody is told of what nobody awaits"


def test_what_is_retained_is_told_to_every_connection(broker, camera) -> None:
    camera.transport.retain(SENSOR, b"{}")
    camera.transport.start(camera.ears)
    wait_until(lambda: on(broker, SENSOR) == [b"{}"], "the first")
    broker.hang_up()
    wait_until(lambda: on(broker, SENSOR) == [b"{}", b"{}"], "the second")
    camera.transport.retain(SENSOR, b"")
    wait_until(lambda: on(broker, SENSOR)[2:] == [b""], "taken away at once")


def test_a_broker_that_keeps_nothing_is_asked_to_keep_nothing(broker, camera) -> None:
    broker.behaviour.properties = b"\x25\x00"  # retain available: no
    camera.transport.retain(SENSOR, b"{}")
    camera.transport.start(camera.ears)
    camera.ears.wait_for_link(True)
    camera.transport.publish("health", b"now")
    wait_until(lambda: on(broker, f"{TOPICS}/health") == [b"now"], "health")
    assert on(broker, SENSOR) == []
    assert on(broker, f"{TOPICS}/state") == [b"birth"]
