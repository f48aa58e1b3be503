"""`bodycam-hub receive` in a process of its own, and a camera that sends until it is heard."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt

from tests.support.field_cameras import FieldCamera
from tests.support.hubs import HubWorld
from tests.support.receiver import wait_until

ROOT = Path(__file__).resolve().parents[2]


class HubProcess:
    """The hub's receiver.

    Args:
        world: whose hub.
        address: of the broker.
    """

    def __init__(self, world: HubWorld, address: tuple[str, int], *words: str) -> None:
        self.world = world
        self._address = address
        self._words = words
        self._process: subprocess.Popen[str] | None = None
        self.out = world.folder / "receive.out"
        self.err = world.folder / "receive.err"

    def command(self, *words: str) -> list[str]:
        host, port = self._address
        broker = ["--mqtt-host", host, "--mqtt-port", str(port)]
        state = ["--state-dir", str(self.world.state_dir)]
        words_file = ["--passphrase-file", str(self.world.words)]
        return [sys.executable, "-m", "agent.hub", *words, *broker, *state, *words_file]

    def start(self, *, ready: bool = True) -> None:
        said = self._connections()
        with self.out.open("a") as out, self.err.open("a") as err:
            command = self.command("receive", *self._words)
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err, text=True)
        if ready:
            wait_until(lambda: self._connections() > said, "the hub receives")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(10)

    def lines(self) -> list[Any]:
        text = self.out.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def _connections(self) -> int:
        return self.err.read_text().count("receiving") if self.err.exists() else 0


class Sender:
    """Sends a camera's events, again and again until each is acknowledged, as the agent does.

    Attributes:
        acknowledged: ids, in order of their first acknowledgement.
        acks: every message on `.../ack`, as it came.
        sent: how often something was sent.
    """

    def __init__(self, camera: FieldCamera, address: tuple[str, int]) -> None:
        self.acknowledged: dict[str, float] = {}
        self.acks: list[bytes] = []
        self.sent_at: dict[str, float] = {}
        self.sent = 0
        self._camera = camera
        self._lock = threading.Lock()
        self._up = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=camera.name)
        self._client.max_inflight_messages_set(20)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._up.set()
        self._client.on_message = self._on_message
        self._client.on_socket_open = _at_once
        self._client.connect(*address)
        self._client.loop_start()
        assert self._up.wait(10)

    def publish(self, kind: str, payload: bytes, *, retain: bool = False) -> None:
        self._client.publish(self._camera.topic(kind), payload, qos=1, retain=retain)

    def send(self, payloads: dict[str, bytes]) -> None:
        for name, payload in payloads.items():
            if name not in self.acknowledged:
                self.sent_at.setdefault(name, time.monotonic())
                self.sent += 1
                self.publish("match", payload)

    def missing(self, payloads: dict[str, bytes]) -> list[str]:
        return [name for name in payloads if name not in self.acknowledged]

    def send_until_heard(
        self, payloads: dict[str, bytes], *, every_s: float = 1.0, timeout_s: float = 30.0
    ) -> None:
        deadline = time.monotonic() + timeout_s
        while self.missing(payloads) and time.monotonic() < deadline:
            self.send(payloads)
            again = time.monotonic() + every_s
            while self.missing(payloads) and time.monotonic() < again:
                time.sleep(0.005)
        assert not self.missing(payloads)

    def latencies(self) -> Sequence[float]:
        return sorted(at - self.sent_at[name] for name, at in self.acknowledged.items())

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe(self._camera.topic("ack"), 1)

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        now = time.monotonic()
        self.acks.append(message.payload)
        for name in json.loads(message.payload)["ids"]:
            self.acknowledged.setdefault(name, now)


def _at_once(_client: Any, _data: Any, opened: socket.socket) -> None:
    """Like the agent: small packets do not wait for one another."""
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
