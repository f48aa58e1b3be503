"""Everybody in the soak, each a process of its own, all of them by the device's clock."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent.adapters.control_socket import ask
from agent.errors import BodycamError
from agent.messages.control import ControlRequest
from tests.soak.agency import AUTHORISATION, DEVICE, Agency
from tests.soak.clock import DeviceClock
from tests.soak.measure import of_process, size_mb
from tests.soak.reel import FPS
from tests.soak.script import Do, Script
from tests.support.broker import HOST, MOSQUITTO, free_port

ROOT = Path(__file__).resolve().parents[2]
AGENT, SIM = (sys.executable, "-m", "agent"), (sys.executable, "-m", "firmware_sim")
_START_S = 30.0
_SETTINGS = (
    "gps.enabled=true", "hardware.led=sim:red:status", "hardware.haptic=sim::vibrator",
    "mqtt.host=127.0.0.1", "audit.file_mb=0.02", "audit.total_mb=0.1", "storage.reserve_mb=1",
)  # fmt: skip


class World:
    """Starts and ends everybody.

    Args:
        folder: for everything; made anew.
        pictures: what the camera shows.
        footage, models: from `make models`.
    """

    def __init__(self, folder: Path, pictures: Path, footage: Path, models: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._folder, self._pictures, self._models = folder, pictures, models
        self.state = folder / "state"
        self.agency = Agency(folder / "agency", footage, models)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._publishing: subprocess.Popen[bytes] | None = None
        self._clock: DeviceClock | None = None
        self.refused: list[str] = []
        self._provision()

    def start(self, clock: DeviceClock, script: Script) -> None:
        """From here on the device's time runs."""
        self._clock = clock
        broker, link = free_port(), free_port()
        config = self._folder / "mosquitto.conf"
        config.write_text(f"listener {broker} {HOST}\nallow_anonymous true\nuser root\n")
        self._start("broker", [str(MOSQUITTO), "-c", str(config)])
        to = ["--to", f"{HOST}:{broker}", "--port", str(link)]
        self._start("link", [*SIM, "link", *to, *_at(script.link)])
        host = ["--mqtt-host", HOST, "--mqtt-port", str(broker)]
        self._start("hub", self.agency.command("receive", *host))
        camera = self._start_camera(script)
        found = {
            "camera.source": camera["url"],
            "gps.port": camera["gps_port"],
            "hardware.sysfs_root": (self._folder / "sys").resolve(),
            "mqtt.port": link,
            "models.dir": self._models.resolve(),
            "health.prometheus_file": (self._folder / "agent.prom").resolve(),
        }
        settings = [*_SETTINGS, *(f"{key}={value}" for key, value in found.items())]
        options = [one for setting in settings for one in ("--set", setting)]
        self._start("agent", [*AGENT, "run", *self._state_dir(), *options])

    def alive(self) -> list[str]:
        """Of those that were started, the ones that still run."""
        return [name for name, process in self.processes.items() if process.poll() is None]

    def do(self, what: Do) -> None:
        """Somebody at the device, or at the agency, does something."""
        if what == "publish":
            self._publish()
        elif what == "arm":
            self.ask("arm", reason="soak", authorisation=AUTHORISATION)
        elif what == "disarm":
            self.ask("disarm", reason="soak")
        else:
            self.ask(what)

    def ask(self, command: str, **fields: str) -> dict[str, Any]:
        """The running agent's answer; empty when it refuses, which is noted."""
        request = ControlRequest.model_validate({"command": command, **fields})
        try:
            reply = ask(self.state / "control.sock", request)
        except BodycamError as error:
            self.refused.append(f"{command}: {error}")
            return {}
        if not reply.ok:
            self.refused.append(f"{command}: {reply.error}")
        return reply.data

    def sample(self) -> dict[str, dict[str, float]]:
        """What everybody takes up now."""
        found: dict[str, dict[str, float]] = {}
        for name, process in self.processes.items():
            with suppress(OSError, ValueError):
                found[name] = of_process(process.pid)
        outbox = self.state.glob("outbox.sqlite*")
        found["disk"] = {
            "state_mb": size_mb(self.state),
            "outbox_mb": size_mb(*outbox),
            "audit_mb": size_mb(self.state / "audit"),
            "hub_mb": size_mb(self.agency.world.state_dir),
        }
        return found

    def end(self) -> dict[str, int]:
        """Everybody, in order; exit codes."""
        codes = {}
        for name in ("agent", "camera", "hub", "link", "broker"):
            process = self.processes.get(name)
            if process is not None:
                process.terminate()
                try:
                    codes[name] = process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    codes[name] = process.wait()
        return codes

    def close(self) -> None:
        for process in (*self.processes.values(), self._publishing):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        self.agency.close()

    def log(self, name: str) -> list[str]:
        path = self._folder / f"{name}.log"
        return path.read_text(errors="replace").splitlines() if path.exists() else []

    def _provision(self) -> None:
        file = self._folder / f"{DEVICE}.json"
        self.agency.invite(file)
        sha256 = hashlib.sha256(self.agency.world.root()).hexdigest()
        command = [*AGENT, "provision", str(file), "--root-sha256", sha256, *self._state_dir()]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        self.agency.admit(file.with_suffix(".request.json"))

    def _start_camera(self, script: Script) -> dict[str, Any]:
        (self._folder / "sys").mkdir()
        play = ["--play", str(self._pictures), "--loop", "0", "--fps", str(FPS), "--json"]
        body = ["--gps", "--sysfs", str(self._folder / "sys"), "--battery", "90"]
        process = self._start("camera", [*SIM, "run", *play, *body, *_at(script.camera)])
        said = self._folder / "camera.out"
        deadline = time.monotonic() + _START_S
        while not said.read_text().endswith("\n"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no camera: {self.log('camera')[-1:]}")
            time.sleep(0.02)
        told: dict[str, Any] = json.loads(said.read_text())
        return told

    def _publish(self) -> None:
        if self._publishing is not None and self._publishing.poll() is None:
            self.refused.append("publish: the one before is not done yet")
            return
        self._publishing = self._popen("publish", self.agency.next_version())

    def _start(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        self.processes[name] = self._popen(name, command)
        return self.processes[name]

    def _popen(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        assert self._clock is not None
        environment = dict(self._clock.environment())
        for other in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "RUNTIME_DIRECTORY", "STATE_DIRECTORY"):
            environment.pop(other, None)
        with (
            (self._folder / f"{name}.out").open("ab") as out,
            (self._folder / f"{name}.log").open("ab") as log,
        ):
            return subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=log
            )

    def _state_dir(self) -> list[str]:
        return ["--state-dir", str(self.state)]


def _at(events: Sequence[str]) -> list[str]:
    return [one for event in events for one in ("--at", event)]
