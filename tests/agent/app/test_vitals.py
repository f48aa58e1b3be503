"""Health and test alerts of a whole agent, on a real broker."""

from __future__ import annotations

import json
import os
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from agent.adapters.control_socket import ask
from agent.app import Context
from agent.app.build import RunOptions, build_agent
from agent.app.context import Models
from agent.cli.ctl_test_alert import follow
from agent.errors import UnavailableError
from agent.messages import MatchEvent
from agent.messages.control import ControlReply, ControlRequest
from agent.messages.health import HealthMessage
from tests.support.agents import CURVE, STRANGER
from tests.support.broker import embedded_broker
from tests.support.portraits import PortraitDetector, PortraitEmbedder, save_portrait
from tests.support.receiver import wait_until

pytestmark = pytest.mark.slow
TOPICS = "bodycam/field-test/camera-1"
STATUS = ControlRequest(command="status")


@pytest.fixture(autouse=True)
def no_service_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


class Everybody:
    """Subscribed to all there is; what the broker keeps for those who come later is `kept`."""

    def __init__(self, host: str, port: int) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.kept: dict[str, bytes] = {}
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self._client.on_message = self._message
        self._client.connect(host, port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def on(self, topic: str) -> list[bytes]:
        return [payload for where, payload in self.heard if where == topic]

    def _message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        self.heard.append((message.topic, message.payload))
        if message.retain:
            self.kept[message.topic] = message.payload


@contextmanager
def listening(broker: tuple[str, int]) -> Iterator[Everybody]:
    everybody = Everybody(*broker)
    try:
        yield everybody
    finally:
        everybody.close()


class Shift:
    """An agent in front of a stranger, nobody being listed, and somebody at its control socket."""

    def __init__(self, folder: Path, broker: tuple[str, int]) -> None:
        self.folder = folder
        (folder / "clip").mkdir()
        for number in range(4):
            save_portrait(folder / "clip" / f"{number}.png", STRANGER)
        self._settings = (
            f"camera.source={folder / 'clip'}", "camera.pace=live", "camera.fps=0.5",
            f"mqtt.host={broker[0]}", f"mqtt.port={broker[1]}", "health.every_s=10",
        )  # fmt: skip

    def operated(self, script: Callable[[Path], None], *settings: str) -> Context:
        models = Models(PortraitDetector(), PortraitEmbedder(), CURVE)
        wanted = (*self._settings, *settings)
        context = Context(self.folder / "state", None, wanted, models=models)
        errors: list[BaseException] = []

        def operate() -> None:
            try:
                script(context.control_path)
            except BaseException as error:  # noqa: BLE001 -- raised below
                errors.append(error)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)

        agent = build_agent(context, RunOptions())
        thread = threading.Thread(target=operate)
        thread.start()
        agent.run()
        thread.join(30)
        if errors:
            raise errors[0]
        return context


def a_board(root: Path) -> Path:
    """A tree with battery, heat and a lamp; the folder of the lamp."""
    files = {
        "power_supply/bat/type": "Battery", "power_supply/bat/capacity": "64",
        "power_supply/bat/status": "Discharging", "thermal/thermal_zone0/temp": "48500",
        "leds/lamp/trigger": "", "leds/lamp/brightness": "", "leds/lamp/max_brightness": "255",
        "leds/lamp/delay_on": "", "leds/lamp/delay_off": "",
    }  # fmt: skip
    for name, text in files.items():
        file = root / "class" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root / "class/leds/lamp"


def connected(path: Path) -> None:
    def is_up() -> bool:
        try:
            return bool(ask(path, STATUS).data["connected"])
        except UnavailableError:
            return False

    wait_until(is_up, "connected")


def tried(path: Path, timeout_s: float) -> ControlReply:
    return follow(lambda request: ask(path, request), timeout_s, time.monotonic, time.sleep)


def test_a_shift_begins_disarmed_with_a_test_alert_and_health_everywhere(tmp_path: Path) -> None:
    metrics = tmp_path / "bodycam.prom"
    with embedded_broker() as broker, listening(broker) as everybody:
        shift = Shift(tmp_path, broker)

        def script(path: Path) -> None:
            connected(path)
            reply = tried(path, 10.0)
            assert reply.data["confirmed"], reply
            assert 0 < reply.data["s"] < 5
            status = ask(path, STATUS).data
            assert (status["armed"], status["parked"], status["given_up"]) == (False, 0, 0)
            wait_until(lambda: everybody.on(f"{TOPICS}/health") != [], "health")
            wait_until(metrics.exists, "metrics")
            assert stat.S_IMODE(metrics.stat().st_mode) == 0o644
            assert "bodycam_armed 0\n" in metrics.read_text()
            assert status["hardware"] == {
                "battery": {"percent": 64.0, "charging": False, "volts": None},
                "temperature_c": 48.5,
            }
            assert status["gps"] is None
            assert (lamp / "trigger").read_text() == "timer"

        lamp = a_board(tmp_path / "sys")
        settings = (
            f"health.prometheus_file={metrics}", "health.home_assistant=true",
            f"hardware.sysfs_root={tmp_path / 'sys'}", "hardware.led=lamp",
        )  # fmt: skip
        context = shift.operated(script, *settings)
        assert not metrics.exists(), "nobody is there any more"

        (event,) = (MatchEvent.model_validate_json(one) for one in everybody.on(f"{TOPICS}/match"))
        assert (event.type, event.subject, event.data.test) == ("bodycam.test.v1", "TEST", True)
        health = HealthMessage.model_validate_json(everybody.on(f"{TOPICS}/health")[0])
        assert (health.faces_per_minute, health.armed, health.session) == ("0-9", False, 1)
        assert health.disk.reserve == "held"
        assert health.memory_mb > 0
        assert (health.battery and health.battery.percent, health.temperature_c) == (64.0, 48.0)
        assert (lamp / "brightness").read_text() == "0", "dark when it is off"
        records = [json.loads(line) for line in context.audit().lines()]
        (record,) = [one["fields"] for one in records if one["kind"] == "test-alert"]
        assert record == {"event": event.id, "uid": os.getuid()}

        sensors = [topic for topic, _ in everybody.heard if topic.startswith("homeassistant/")]
        assert len(set(sensors)) == 5
        with listening(broker) as later:
            wait_until(lambda: set(sensors) <= later.kept.keys(), "sensors are kept")
            assert f"{TOPICS}/health" not in later.kept

        shift.operated(connected)
        with listening(broker) as later:
            wait_until(lambda: f"{TOPICS}/state" in later.kept, "the state is kept")
            assert not later.kept.keys() & set(sensors), "sensors are taken away again"


def test_without_anybody_to_confirm_it_stays_and_is_reported(tmp_path: Path) -> None:
    shift = Shift(tmp_path, ("127.0.0.1", 1))
    replies: list[ControlReply] = []

    def script(path: Path) -> None:
        wait_until(path.exists, "the agent is up")
        replies.append(tried(path, 0.5))

    context = shift.operated(script, "delivery.drain_s=0")
    (reply,) = replies
    assert reply.data["confirmed"] is False
    assert "127.0.0.1:1" in reply.data["trouble"]
    assert context.config.mqtt.port == 1
