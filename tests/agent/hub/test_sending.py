"""Commands over a broker."""

from __future__ import annotations

import json
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from agent.errors import UsageError
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
