"""The cast of the demo, each in a process of its own, through the real command lines."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.broker import Broker
from tests.support.receiver import lines

ROOT = Path(__file__).resolve().parents[2]
AGENT = (sys.executable, "-m", "agent")
CAMERA = (sys.executable, "-m", "firmware_sim")
RECEIVER = (sys.executable, "-m", "tests.support.receiver")
_START_S = 20.0


class Stage:
    """Starts processes, keeps their logs, and ends every one of them.

    Args:
        folder: for logs, port files and what was received.
        broker: which one, see `Broker`.
    """

    def __init__(self, folder: Path, broker: str = "amqtt") -> None:
        self.folder = folder
        self.alerts = folder / "alerts.jsonl"
        self.states = folder / "states.jsonl"
        self.broker = Broker(broker, folder)
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Stage:  # noqa: PYI034
        return self

    def __exit__(self, *error: object) -> None:
        for process in reversed(self._processes):
            end(process)
        self.broker.stop()

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process; what it says goes to `<name>.log`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._processes.append(process)
        return process

    def once(self, name: str, command: Sequence[str]) -> None:
        """Run a command to its end.

        Raises:
            StageError: it failed.
        """
        code = self.start(name, command).wait()
        if code:
            raise StageError(f"{name} ended with {code}: {self.last_words(name)}")

    def start_receiver(self) -> None:
        """Subscribed when this returns; the broker must run."""
        ready = self.folder / "receiver.ready"
        ready.unlink(missing_ok=True)
        options = ["--host", self.broker.host, "--port", str(self.broker.port)]
        options += ["--out", str(self.alerts), "--state-out", str(self.states)]
        process = self.start("receiver", [*RECEIVER, *options, "--ready-file", str(ready)])
        self._wait("receiver", process, ready)

    def start_camera(self, clips: Sequence[Path], *options: str) -> str:
        """A simulated camera; the address of its stream."""
        port_file = self.folder / "camera.port"
        port_file.unlink(missing_ok=True)
        play = [*CAMERA, "run", "--play", *map(str, clips), "--port-file", str(port_file)]
        process = self.start("camera", [*play, *options])
        self._wait("camera", process, port_file)
        return f"http://127.0.0.1:{int(port_file.read_text())}/stream.mjpg"

    def to_broker(self) -> list[str]:
        """Settings that send alerts to this stage's broker."""
        return ["--set", f"mqtt.host={self.broker.host}", "--set", f"mqtt.port={self.broker.port}"]

    def last_words(self, name: str) -> str:
        text = (self.folder / f"{name}.log").read_text(errors="replace").strip()
        return text.splitlines()[-1] if text else "(nothing said)"

    def offline_seen(self, since: int) -> bool:
        """Whether the receiver got last words after its first `since` state messages. Messages
        of one sender keep their order, so every alert before them has arrived too.
        """
        return any(not line["payload"]["online"] for line in lines(self.states)[since:])

    def _wait(self, name: str, process: subprocess.Popen[bytes], sign: Path) -> None:
        deadline = time.monotonic() + _START_S
        while not (sign.exists() and sign.read_text()):
            if process.poll() is not None or time.monotonic() > deadline:
                raise StageError(f"{name} did not start: {self.last_words(name)}")
            time.sleep(0.02)


class StageError(Exception):
    """Somebody of the cast failed; one line."""


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, then make it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def enrol_commands(state: Path, photo: Path, distractors: int, until: str) -> list[list[str]]:
    """The commands that make the list: templates of nobody, and one man."""
    grounds = ["--basis", "consent", "--purpose", "test", "--authorisation", "DEMO-1"]
    common = [*grounds, "--not-after", until, "--state-dir", str(state)]
    return [
        [*AGENT, "watchlist", "import", "--distractors", str(distractors), "--seed", "1", *common],
        [*AGENT, "watchlist", "enrol", str(photo), "--subject", "S-1", "--entry", "E-1", *common],
    ]


def run_command(state: Path, source: str, report: Path, *options: str) -> list[str]:
    """The agent, armed, over every frame of `source`."""
    arm = ["--reason", "demonstration", "--authorisation", "DEMO-1"]
    paths = ["--state-dir", str(state), "--report", str(report)]
    return [*AGENT, "run", "--source", source, "--pace", "max", *arm, *paths, *options]
