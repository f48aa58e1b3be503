"""`python -m tests.chaos --hostile`: the whole agent at a broker that does anything it likes.

The agent as it is, with its networks, looks at footage of a listed man through a simulated camera.
Its broker behaves, then does everything of `tests.support.hostile_scripts`, then sends payloads of
10 MB, then up to 10,000 commands and acknowledgements a second, and behaves again. Frames a second
and memory are compared with the good times. Figures in build/chaos-hostile.json. Needs
`make models`.
"""

from __future__ import annotations

import io
import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.adapters.signing import KeySigner, signed
from agent.app.models import open_models
from agent.config import Config
from agent.vision.alignment import align_faces
from tests.chaos.figures import until, write
from tests.chaos.world import ROOT
from tests.demo.stage import CAMERA
from tests.support.alerting_device import Device
from tests.support.hostile_broker import Guest, HostileBroker, Script, good
from tests.support.hostile_scripts import SCRIPTS

COMMANDS_HZ = 10_000
_LEAST = 0.5
"""Of the frames a second in good times: a machine with two cores plays the broker, too."""
_GROWTH_MB = 24.0
_GOOD_S, _SCRIPT_S, _LONG_S = 8.0, 0.2, 8.0
_MET_S = 4.0
_START_S = 30.0
_BATCH = 100


class CameraGuest(Guest):
    topics = "bodycam/example-pd/CAM-7"


@dataclass
class Phase:
    """One stretch of time.

    Attributes:
        began, ended: monotonic seconds.
        rss_mb: resident memory of the agent, at most.
        told: what else there is to say of it.
    """

    name: str
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    rss_mb: float = 0.0
    told: dict[str, int] = field(default_factory=dict)

    def figures(self, frames: list[tuple[float, float]]) -> dict[str, Any]:
        seconds = self.ended - self.began
        count = sum(self.began <= at < self.ended for at, _ in frames)
        return {
            "fps": round(count / seconds, 1),
            "rss_mb": round(self.rss_mb, 1),
            "seconds": round(seconds, 1),
            **self.told,
        }


def hostile(folder: Path) -> int:
    """Play it, say the figures, write them; the exit code."""
    assets, models = ROOT / "build" / "assets", ROOT / "build" / "models"
    if not (assets / "single_face.mp4").exists() or not models.exists():
        print("chaos: no footage or no networks; run `make models` first")
        return 66
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    broker = HostileBroker(good, CameraGuest)
    try:
        with redirect_stdout(io.StringIO()):
            device = _provisioned(folder, broker, assets, models)
        with _running(folder, device, assets) as agent:
            phases = _play(agent, broker)
            agent.send_signal(signal.SIGTERM)
            code = agent.wait(30)
        if not phases:
            print(f"chaos: the agent did not start: {(folder / 'agent.log').read_text()[-300:]}")
            return 1
        frames = json.loads((folder / "frames.json").read_text())
        outbox = SqliteOutbox(device.context.state_dir / "outbox.sqlite")
        waiting = sum(entry.priority >= 0 for entry in outbox.pending(1000))
        outbox.close()
    finally:
        broker.close()
    figures = {phase.name: phase.figures(frames) for phase in phases}
    broken = judged(figures, code, waiting)
    figures |= {"guests": {"connections": broker.guests, "scripts": len(SCRIPTS)}}
    figures |= {"alerts": {"audited": len(device.audited("alert")), "waiting": waiting}}
    return write(folder.parent / "chaos-hostile.json", figures, broken)


def judged(figures: dict[str, dict[str, Any]], code: int, waiting: int) -> list[str]:
    """What is broken."""
    broken = [] if code in {0, 75} else [f"the agent ended with {code}"]
    before = figures["good"]
    for name, phase in figures.items():
        if phase["fps"] < _LEAST * before["fps"]:
            broken.append(f"{name}: {phase['fps']} frames a second, {before['fps']} in good times")
        if phase["rss_mb"] > before["rss_mb"] + _GROWTH_MB:
            broken.append(f"{name}: {phase['rss_mb']} MB, {before['rss_mb']} in good times")
    if waiting:
        broken.append(f"{waiting} events still wait though the broker is good again")
    if not before["fps"]:
        broken.append("no frame was looked at")
    return broken


def _provisioned(folder: Path, broker: HostileBroker, assets: Path, models: Path) -> Device:
    networks = open_models(Config.model_validate({"models": {"dir": str(models)}}), models.parent)
    image = cv2.imread(str(assets / "single_face.jpg"))
    face = networks.detector.detect(image).landmarks[:1]
    return Device(
        folder,
        (broker.host, broker.port),
        models=networks,
        listed=networks.embedder.embed(align_faces(image, face))[0],
        film=lambda _folder: None,
    )


@contextmanager
def _running(folder: Path, device: Device, assets: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The agent, in front of a camera that goes on for ever."""
    port_file = folder / "camera.port"
    film = str(assets / "single_face.mp4")
    watching = [*CAMERA, "run", "--play", film, "--loop", "1000", "--port-file", str(port_file)]
    with (folder / "agent.log").open("wb") as log:
        camera = subprocess.Popen(watching, cwd=ROOT, stdout=log, stderr=log)
        try:
            until(port_file.exists, _START_S)
            source = f"http://127.0.0.1:{int(port_file.read_text())}/stream.mjpg"
            settings = [
                *device.settings, f"models.dir={ROOT / 'build' / 'models'}",
                "camera.pace=live", "delivery.confirm=broker", "delivery.retry_first_s=0.05",
                "delivery.retry_cap_s=1", "mqtt.keepalive_s=5", "mqtt.connect_timeout_s=2",
                "decision.cooldown_s=5",
            ]  # fmt: skip
            words = [word for one in settings for word in ("--set", one)]
            timed = [sys.executable, "-m", "tests.bench.timed_agent", str(folder / "frames.json")]
            state = ["--state-dir", str(device.context.state_dir), "--authorisation", "TEST-1"]
            agent = subprocess.Popen(
                [*timed, "run", "--source", source, *state, *words],
                cwd=ROOT, stdout=log, stderr=log,
            )  # fmt: skip
            try:
                yield agent
            finally:
                agent.kill()
                agent.wait()
        finally:
            camera.kill()
            camera.wait()


def _play(agent: subprocess.Popen[bytes], broker: HostileBroker) -> list[Phase]:
    phases: list[Phase] = []

    def phase(name: str, seconds: float, script: Script | None = None) -> Phase:
        print(f"  {name} ...", flush=True)
        if script is not None:
            broker.become(script)
        now = Phase(name)
        _watch(agent, now, seconds)
        phases.append(now)
        return now

    if not until(lambda: broker.guests > 0 or agent.poll() is not None, _START_S) or agent.poll():
        return []
    time.sleep(3.0)
    phase("good", _GOOD_S)
    phases.append(_every_script(agent, broker))
    large = phase("payloads of 10 MB", _LONG_S, _large)
    large.told["megabytes"] = _sent.pop("large", 0) // 1_000_000
    flooded = phase("commands by the thousand", _LONG_S, _commands)
    flooded.told["commands_a_second"] = round(_sent.pop("commands", 0) / _LONG_S)
    phase("good again", _GOOD_S, good)
    return phases


def _every_script(agent: subprocess.Popen[bytes], broker: HostileBroker) -> Phase:
    now = Phase("every reason code, hang-up and malformed packet")
    print(f"  {now.name} ...", flush=True)
    for script in SCRIPTS.values():
        before = broker.guests
        broker.become(script)
        until(lambda: broker.guests > before, _MET_S)  # noqa: B023
        _watch(agent, now, _SCRIPT_S)
        now.told["scripts_met"] = now.told.get("scripts_met", 0) + (broker.guests > before)
    return now


def _watch(agent: subprocess.Popen[bytes], now: Phase, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now.rss_mb = max(now.rss_mb, _rss_mb(agent.pid))
        time.sleep(0.05)
    now.ended = time.monotonic()


_sent: dict[str, int] = {}


def _large(guest: Guest) -> None:
    """One after the other, as fast as they are taken."""
    guest.accept()
    packet = guest.command(bytes(10_000_000))
    with suppress(OSError):
        while not guest.gone.wait(0.01):
            guest.send(packet)
            _sent["large"] = _sent.get("large", 0) + len(packet)


def _commands(guest: Guest) -> None:
    """Forged, foreign and garbled ones, and acknowledgements likewise."""
    guest.accept()
    forged = _forged()
    packets = [
        guest.command(payload, 1 + number % 60_000, kind=kind)
        for number, (kind, payload) in zip(range(_BATCH), _cycle(forged), strict=False)
    ]
    pieces = b"".join(packets)
    due = time.monotonic()
    with suppress(OSError):
        while not guest.gone.wait(max(0.0, due - time.monotonic())):
            due = max(due, time.monotonic() - 0.1) + _BATCH / COMMANDS_HZ
            guest.send(pieces)
            _sent["commands"] = _sent.get("commands", 0) + _BATCH


def _cycle(kinds: list[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    while True:
        yield from kinds


def _forged() -> list[tuple[str, bytes]]:
    thief = KeySigner(Ed25519PrivateKey.generate())
    names = {"agency": "example-pd", "device": "CAM-7"}
    command = {
        "format": "bodycam.command.v1", "device_key": "c" * 32, "counter": 1, "session": None,
        "not_after": 32_000_000_000, "command": "disarm", "arguments": {},
    }  # fmt: skip
    ack = {"format": "bodycam.ack.v1", "ids": ["0" * 26], "time": "2027-01-15T08:00:02.750Z"}
    make: Callable[[dict[str, Any]], bytes] = lambda one: json.dumps(  # noqa: E731
        signed({**names, **one}, thief)
    ).encode()
    return [("command", make(command)), ("ack", make(ack)), ("command", b"x" * 300)]


def _rss_mb(pid: int) -> float:
    with suppress(OSError, IndexError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6
    return 0.0
