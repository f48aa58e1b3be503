"""Commands over a broker."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from agent.adapters.mqtt_rules import MqttSettings
from agent.delivery import Backoff
from agent.errors import UsageError
from agent.hub.link import HubLink, Links, LostError
from tests.support.broker import embedded_broker
from tests.support.field_cameras import FieldCamera
from tests.support.hub_process import ROOT, HubProcess, Sender


def test_it_must_go_somewhere(world) -> None:
    FieldCamera(world)
    with pytest.raises(UsageError, match="--mqtt-host HOST, or write it with --out"):
        world("command", "CAM-7", "sync")


def test_only_settings_of_the_broker(world) -> None:
    FieldCamera(world)
    with pytest.raises(UsageError, match="takes settings of mqtt only"):
        world("command", "CAM-7", "sync", "--set", "camera.source=x")


@pytest.mark.slow
def test_a_command_is_sent_to_the_session_that_the_camera_tells_of(world) -> None:
    camera = FieldCamera(world)
    world.allow_remote_arm()
    with embedded_broker() as address:
        hub = HubProcess(world, address)
        heard, came = [], threading.Event()
        ears = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="ears")
        ears.on_message = lambda _c, _d, message: (heard.append(message.payload), came.set())
        ears.connect(*address)
        ears.subscribe(camera.topic("command"), 1)
        ears.loop_start()
        words = ("arm", "--reason", "patrol", "--authorisation", "A-1", "--json")
        command = hub.command("command", "CAM-7", *words)
        nobody = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        with closing(Sender(camera, address)) as sender:
            sender.publish("state", camera.state(session=41), retain=True)
            sent = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert came.wait(10)
        ears.loop_stop()
        ears.disconnect()
    assert (nobody.returncode, nobody.stdout) == (69, "")
    assert "the broker knows no state of the camera" in nobody.stderr
    said = json.loads(sent.stdout)
    assert (said["session"], said["counter"]) == (41, 1)  # the failed try cost no number
    assert json.loads(heard[0])["session"] == 41
    assert said["topic"] == camera.topic("command")


def test_wrong_settings_are_named_all_at_once(world, tmp_path: Path) -> None:
    from agent.errors import ConfigError

    FieldCamera(world)
    words = ("--mqtt-host", "h", "--set", "mqtt.tls.enabled=true")
    words += ("--set", "mqtt.tls.ca_file=no.pem", "--set", "mqtt.tls.cert_file=none.pem")
    with pytest.raises(ConfigError) as caught:
        world("command", "CAM-7", "sync", *words)
    assert [line.split(":")[1].split()[0] for line in str(caught.value).splitlines()] == [
        "mqtt.tls.ca_file",
        "mqtt.tls.cert_file",
    ]


class FakeLink:
    """A broker that takes everything, or hangs up."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes]] = []
        self.takes_all = True

    def publish(self, topic: str, payload: bytes) -> None:
        self.published.append((topic, payload))

    def flush(self, _wait_s: float) -> bool:
        return self.takes_all

    def close(self) -> None:
        """Nothing to do."""


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[FakeLink]:
    made: list[FakeLink] = []

    class Fake:
        def __init__(self, *_: object, **__: object) -> None:
            """As `Links`."""

        def connect(self) -> FakeLink:
            made.append(FakeLink())
            return made[-1]

    monkeypatch.setattr("agent.hub.sending.Links", Fake)
    return made


def test_a_revocation_goes_to_every_camera_over_one_connection(world, connected) -> None:
    for name in ("CAM-1", "CAM-2", "CAM-3"):
        world.camera(name)
    words = ("authorise", "revoke", "W-9", "--reason", "quashed", "--mqtt-host", "h", "--json")
    assert world(*words).json["told"] == {"CAM-1": True, "CAM-2": True, "CAM-3": True}
    (link,) = connected
    topics = [topic for topic, _ in link.published]
    assert topics == [f"bodycam/example-pd/CAM-{n}/command" for n in (1, 2, 3)]
    said = [json.loads(payload) for _, payload in link.published]
    assert [one["device"] for one in said] == ["CAM-1", "CAM-2", "CAM-3"]
    assert {one["arguments"]["revocation"]["authorisation"] for one in said} == {"W-9"}


def test_a_broker_that_takes_not_all_of_them_has_told_nobody(
    world, connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.camera("CAM-1")
    monkeypatch.setattr(FakeLink, "flush", lambda *_: False)
    words = ("authorise", "revoke", "W-9", "--reason", "quashed", "--mqtt-host", "h", "--json")
    told = world(*words)
    assert (told.code, told.json["told"]) == (69, {"CAM-1": False})
    assert "CAM-1: not told now (the broker did not take it" in told.err
    assert world("authorise", "list", "--json").json["authorisations"][0]["state"] == "revoked"


def test_what_a_broker_speaks_is_asked_once(world, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of 3.1.1 alone answers nothing at all to MQTT 5: seconds, each time."""
    tried: list[int] = []

    class OldBroker(HubLink):
        def __init__(self, settings, topics, protocol, clock) -> None:
            self._protocol = protocol

        def open(self, answer_s: float) -> None:
            tried.append(self._protocol.value)
            if self._protocol is MQTTProtocolVersion.MQTTv5:
                raise LostError("silence", other_version=True)

        def close(self) -> None:
            """Nothing to do."""

    monkeypatch.setattr("agent.hub.link.HubLink", OldBroker)
    settings = MqttSettings("h", 1883, "", "c", 30, 10.0, 20, Backoff(1, 30))
    for _ in range(2):
        memory = world.context().memory_of(settings)
        Links(settings, [], world.clock, first=memory.version(), found=memory.note).connect()
    assert tried == [5, 4, 4]
    other = world.context().memory_of(replace(settings, port=1884))
    assert other.version() is None
    (world.state_dir / "broker.json").write_text("[")
    assert world.context().memory_of(settings).version() is None


@pytest.mark.slow
def test_a_revocation_waits_for_no_library_of_pictures() -> None:
    """It reaches cameras within two seconds of the key being pressed: half a second of that would
    be spent on reading OpenCV.
    """
    code = (
        "import sys, agent.hub.commands.authorise;"
        "print(sorted({'cv2', 'onnxruntime', 'hnswlib', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
